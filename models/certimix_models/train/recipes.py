"""How each model is trained: its network, its loss, its stages and its learning rates."""

from collections.abc import Callable
from dataclasses import dataclass

from certimix_models.train import losses
from certimix_models.train.convolutional_network import ConvNet, NetworkShape
from certimix_models.train.lipschitz_network import LipschitzNet

EPSILON = 8 / 255

LARGE = NetworkShape((64, 256, 256))  # 118 million multiply-adds for one image
MEDIUM = NetworkShape((48, 128, 192))  # 48 million
TINY = NetworkShape((24, 56, 112), stem_kernel=4, stem_stride=2, stem_padding=1)  # 4.5 million


@dataclass(frozen=True)
class Stage:
    """Epochs in which the learning rates rise to their peak and then decay linearly."""

    epochs: int
    rate: float = 1.0  # the peak, as a share of the recipe's learning rates
    final_rate: float = 0.0  # where the decay ends, as a share of the same
    averaged: bool = False  # the stage ends with the average of its weights after each step
    deepened: bool = False  # adds layers to a Lipschitz network first


@dataclass(frozen=True)
class Recipe:
    """The training of one model."""

    network: Callable[[], ConvNet | LipschitzNet]
    loss: losses.Loss
    stages: tuple[Stage, ...]
    batch: int = 500
    shift: int = 4
    muon_rate: float = 0.24
    adam_rate: float = 0.06
    sigma: float = 0.0  # standard deviation of the noise, in units of the image in [0, 1]

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)


def smoothed(shape: NetworkShape, sigma: float, consistency: float, epochs: int) -> Recipe:
    """The recipe of a base classifier for smoothing."""
    return Recipe(
        network=lambda: ConvNet(shape),
        loss=losses.noisy(sigma, consistency),
        stages=(Stage(epochs),),
        batch=250,
        sigma=sigma,
    )


RECIPES = {
    "standard": Recipe(
        network=lambda: ConvNet(LARGE), loss=losses.clean(label_smoothing=0.2), stages=(Stage(8),), shift=2
    ),
    "smoothed-025": smoothed(MEDIUM, sigma=0.25, consistency=5.0, epochs=8),
    "smoothed-050": smoothed(MEDIUM, sigma=0.5, consistency=1.0, epochs=10),
    "smoothed-tiny": smoothed(TINY, sigma=0.25, consistency=2.0, epochs=12),
    "adversarial": Recipe(
        network=lambda: ConvNet(MEDIUM), loss=losses.one_step_adversarial(EPSILON), stages=(Stage(5),)
    ),
    "lipschitz": Recipe(
        network=LipschitzNet,
        loss=losses.margin(temperature=0.2, offset=0.4),
        stages=(Stage(12),),
        batch=250,
        shift=2,
        muon_rate=0.05,
        adam_rate=0.003,
    ),
    "lipschitz-deep": Recipe(
        network=LipschitzNet,
        loss=losses.margin(temperature=0.2, offset=0.4),
        stages=(
            Stage(20),
            Stage(3, rate=0.3, final_rate=0.1875, deepened=True),
            Stage(6, rate=0.2, final_rate=0.1, averaged=True),
        ),
        batch=250,
        shift=2,
        muon_rate=0.05,
        adam_rate=0.003,
    ),
}
