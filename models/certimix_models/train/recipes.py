"""The bundled models: for each, its network, what it is trained on, for how long, and what its manifest promises."""

from collections.abc import Callable
from dataclasses import dataclass

import losses
from lipschitz_network import LipschitzNet
from network import ConvNet, Shape

EPSILON = 8 / 255

LARGE = Shape((64, 256, 256))  # 118 million multiply-adds an image
MEDIUM = Shape((48, 128, 192))  # 48 million
TINY = Shape((24, 56, 112), stem_kernel=4, stem_stride=2, stem_padding=1)  # 4.5 million


@dataclass(frozen=True)
class Recipe:
    network: Callable[[], ConvNet | LipschitzNet]
    loss: losses.Loss
    epochs: int
    about: str
    batch: int = 500
    shift: int = 4
    muon_rate: float = 0.24
    adam_rate: float = 0.06
    sigma: float = 0.0  # of the noise, in units of the image in [0, 1]


def smoothed(shape: Shape, sigma: float, consistency: float, epochs: int) -> Recipe:
    return Recipe(
        network=lambda: ConvNet(shape),
        loss=losses.noisy(sigma, consistency),
        epochs=epochs,
        about="trained on Gaussian noise with consistency regularisation (Jeong and Shin 2020)",
        batch=250,
        sigma=sigma,
    )


RECIPES = {
    "standard": Recipe(
        network=lambda: ConvNet(LARGE),
        loss=losses.clean(label_smoothing=0.2),
        epochs=8,
        about="trained for accuracy",
        shift=2,
    ),
    "smoothed-025": smoothed(MEDIUM, sigma=0.25, consistency=5.0, epochs=8),
    "smoothed-050": smoothed(MEDIUM, sigma=0.5, consistency=1.0, epochs=10),
    "smoothed-tiny": smoothed(TINY, sigma=0.25, consistency=2.0, epochs=12),
    "adversarial": Recipe(
        network=lambda: ConvNet(MEDIUM),
        loss=losses.one_step_adversarial(EPSILON),
        epochs=5,
        about="adversarially trained in l-infinity at 8/255, one gradient step (N-FGSM, de Jorge et al. 2022)",
    ),
    "lipschitz": Recipe(
        network=LipschitzNet,
        loss=losses.margin(temperature=0.2, offset=0.4),
        epochs=12,
        about="1-Lipschitz in l2 by construction (orthogonal convolutions, MaxMin)",
        batch=250,
        shift=2,
        muon_rate=0.05,
        adam_rate=0.003,
    ),
}
