"""A small VGG-like network for 32 x 32 images, cheap on a CPU and quick to train.

After Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024): a fixed whitening
convolution, three groups of two convolutions, each of which halves the image, and a linear head.
The network includes the normalisation of the pixels, so its input is the plain image in [0, 1].
Every batch normalisation has gain 1. So it folds into the convolution before it, even across the
max-pooling between them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

MEAN = (0.4914, 0.4822, 0.4465)
STANDARD_DEVIATION = (0.2470, 0.2435, 0.2616)
CLASSES = 10
NORM_MOMENTUM = 0.4


@dataclass(frozen=True)
class NetworkShape:
    """`widths` are the channels of the three groups. The stem has `stem_filters` filters of
    `stem_kernel` squared pixels.
    """

    widths: tuple[int, int, int]
    stem_kernel: int = 2
    stem_stride: int = 1
    stem_padding: int = 0
    stem_filters: int = 24


class Conv3x3(nn.Module):
    """A 3 x 3 convolution. Its weight is the matrix [outputs, inputs * 9] whose updates the
    optimiser orthogonalises.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        kernel = nn.Conv2d(inputs, outputs, 3, bias=False).weight.detach()
        nn.init.dirac_(kernel[:inputs])  # the first filters copy their input
        self.inputs = inputs
        self.weight = nn.Parameter(kernel.flatten(1).clone())

    def kernel(self) -> torch.Tensor:
        return self.weight.view(-1, self.inputs, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.kernel(), padding=1)


class UnscaledBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with a bias and without a gain."""

    def __init__(self, channels: int):
        super().__init__(channels, eps=1e-6, momentum=NORM_MOMENTUM)
        self.weight.requires_grad_(False)


class ConvolutionGroup(nn.Module):
    """Two convolutions with a max-pooling between them."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = Conv3x3(inputs, outputs)
        self.first_norm = UnscaledBatchNorm(outputs)
        self.second = Conv3x3(outputs, outputs)
        self.second_norm = UnscaledBatchNorm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first_norm(F.max_pool2d(self.first(x), 2)))
        return torch.relu(self.second_norm(self.second(x)))


class ConvNet(nn.Module):
    """The whole network."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / torch.tensor(STANDARD_DEVIATION).view(1, 3, 1, 1))
        self.stem = nn.Conv2d(3, shape.stem_filters, shape.stem_kernel, shape.stem_stride, shape.stem_padding)
        self.stem.weight.requires_grad_(False)
        nn.init.zeros_(self.stem.bias)
        channels = (shape.stem_filters, *shape.widths)
        self.groups = nn.Sequential(*(ConvolutionGroup(i, o) for i, o in zip(channels, channels[1:])))
        self.head = nn.Linear(shape.widths[-1], CLASSES, bias=False)

    @torch.no_grad()
    def initialise_from_data(self, images: torch.Tensor) -> None:
        """Sets the stem to the leading eigenvectors of the patches of `images`, each scaled to unit
        variance, and to their negatives. The images are in [0, 1], with the noise that training
        adds.
        """
        size, count = self.shape.stem_kernel, self.shape.stem_filters // 2
        patches = F.unfold(self.normalised(images), size, stride=2).transpose(1, 2).reshape(-1, 3 * size * size)
        values, vectors = torch.linalg.eigh(patches.T.double() @ patches.double() / len(patches))
        leading = (vectors / (values + 5e-4).sqrt()).flip(1)[:, :count].T.view(count, 3, size, size)
        self.stem.weight.copy_(torch.cat([leading, -leading]))

    def normalised(self, image: torch.Tensor) -> torch.Tensor:
        return (image - self.mean) * self.scale

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, 32, 32] in [0, 1] (noise may exceed the range) to logits [N, 10]."""
        x = self.groups(torch.relu(self.stem(self.normalised(image))))
        return self.head(x.amax(dim=(2, 3))) / self.shape.widths[-1]

    def muon_parameters(self) -> list[nn.Parameter]:
        """The weights that Muon trains."""
        return [conv.weight for group in self.groups for conv in (group.first, group.second)]

    def project_gradients(self) -> None:
        """Does nothing: the matrices are unconstrained."""

    @torch.no_grad()
    def project_weights(self) -> None:
        """Keeps the norm of each matrix fixed. A batch normalisation follows each matrix, so only
        its direction matters.
        """
        for matrix in self.muon_parameters():
            matrix.mul_(matrix.shape[0] ** 0.5 / matrix.norm())
