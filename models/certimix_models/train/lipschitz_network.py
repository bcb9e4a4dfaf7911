"""A network that is 1-Lipschitz in l2 by construction: every layer is an orthogonal map, a part of
one, or MaxMin.

The orthogonal 3 x 3 convolutions follow Li et al. 2019 (BCOP): products of an orthogonal matrix and
of two-tap convolutions [P, I - P], P a symmetric projector. Zero padding can only reduce the norm.
The optimiser keeps the orthogonal matrices on their manifold (`project_gradients`,
`project_weights`), so no parametrisation is differentiated.
"""

import torch
import torch.nn.functional as F
from torch import nn

from certimix_models.train.convolutional_network import CLASSES, MEAN


def orthogonal_parameter(rows: int, columns: int) -> nn.Parameter:
    """A random matrix with orthonormal rows or columns."""
    return nn.Parameter(nn.init.orthogonal_(torch.empty(rows, columns)))


class OrthogonalLinear(nn.Module):
    """A matrix with orthonormal rows or columns, applied to every pixel of an image or to a vector,
    and a bias.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = orthogonal_parameter(outputs, inputs)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def orthogonal_matrices(self) -> list[nn.Parameter]:
        return [self.weight]

    def kernel(self) -> torch.Tensor:
        return self.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim == 2:
            return F.linear(x, self.weight, self.bias)
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


class OrthogonalConv3x3(nn.Module):
    """An orthogonal convolution on max(inputs, outputs) channels, which uses `inputs` of them and
    returns `outputs`.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        channels = max(inputs, outputs)
        self.inputs, self.outputs = inputs, outputs
        self.mix = orthogonal_parameter(channels, channels)
        # The second projector of each pair starts as the complement of the first. So the kernel
        # starts as `mix` alone.
        halves = [half for _ in range(2) for half in orthogonal_parameter(channels, channels).detach().chunk(2, dim=1)]
        self.ranges = nn.ParameterList(nn.Parameter(half.clone()) for half in halves)
        self.bias = nn.Parameter(torch.zeros(outputs))

    @classmethod
    def identity(cls, channels: int) -> "OrthogonalConv3x3":
        """A convolution that starts as the identity."""
        convolution = cls(channels, channels)
        nn.init.eye_(convolution.mix)
        return convolution

    def orthogonal_matrices(self) -> list[nn.Parameter]:
        return [self.mix, *self.ranges]

    def kernel(self) -> torch.Tensor:
        """The kernel [outputs, inputs, 3, 3]."""
        with torch.autocast("cpu", enabled=False):
            projectors = [half @ half.T for half in self.ranges]
            down = compose_two_tap_convolutions(*projectors[:2])
            across = compose_two_tap_convolutions(*projectors[2:])
            down = [self.mix[: self.outputs] @ tap for tap in down]
            across = torch.cat([tap[:, : self.inputs] for tap in across], dim=1)
            rows = [(tap @ across).view(self.outputs, 3, self.inputs) for tap in down]
            return torch.stack(rows, dim=1).permute(0, 3, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.kernel(), self.bias, padding=1)


def compose_two_tap_convolutions(first: torch.Tensor, second: torch.Tensor) -> list[torch.Tensor]:
    """[P, I - P] after [Q, I - Q]: a convolution along one axis with three taps."""
    product = first @ second
    identity = torch.eye(len(first), dtype=first.dtype)
    return [product, first + second - 2 * product, identity - first - second + product]


class SpaceToDepth(nn.Module):
    """Moves each block of 2 x 2 pixels into the channels, ordered by the position in the block
    first, as ONNX does. `nn.PixelUnshuffle` orders by the old channel first, at ten times the cost
    in the memory format channels_last.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = x.shape
        blocks = x.permute(0, 2, 3, 1).reshape(count, height // 2, 2, width // 2, 2 * channels)
        rows = blocks.transpose(2, 3).reshape(count, height // 2, width // 2, 4 * channels)
        return rows.permute(0, 3, 1, 2)


class MaxMin(nn.Module):
    """Sorts channel i with channel i + channels / 2 (Anil et al. 2019). It is a permutation, so it
    keeps norms.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return SortFunction.apply(x)


class SortFunction(torch.autograd.Function):
    """MaxMin with its own gradient. The gradients of torch.maximum and torch.minimum split ties, at
    three times the cost.
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=1)
        ctx.save_for_backward(first >= second)
        result = torch.empty_like(x)
        larger, smaller = result.chunk(2, dim=1)
        torch.maximum(first, second, out=larger)
        torch.minimum(first, second, out=smaller)
        return result

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        (kept,) = ctx.saved_tensors
        first, second = gradient.chunk(2, dim=1)
        kept = kept.to(gradient.dtype)  # lerp is exact where the weight is 0 or 1, and faster than torch.where
        result = torch.empty_like(gradient)
        to_first, to_second = result.chunk(2, dim=1)
        torch.lerp(second, first, kept, out=to_first)
        torch.lerp(first, second, kept, out=to_second)
        return result


class LipschitzNet(nn.Module):
    """The whole network."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        # 12 channels of 16 x 16, 256 of 8 x 8, 512 of 4 x 4, 1024 of 2 x 2
        self.layers = nn.Sequential(
            SpaceToDepth(),
            OrthogonalConv3x3(12, 64),
            MaxMin(),
            OrthogonalConv3x3(64, 64),
            MaxMin(),
            SpaceToDepth(),
            OrthogonalLinear(256, 128),
            MaxMin(),
            OrthogonalConv3x3(128, 128),
            MaxMin(),
            OrthogonalConv3x3(128, 128),
            MaxMin(),
            SpaceToDepth(),
            OrthogonalLinear(512, 256),
            MaxMin(),
            OrthogonalConv3x3(256, 256),
            MaxMin(),
            SpaceToDepth(),
            OrthogonalLinear(1024, 512),
            MaxMin(),
            nn.Flatten(),
            OrthogonalLinear(2048, 256),
            MaxMin(),
            OrthogonalLinear(256, CLASSES),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, 32, 32] in [0, 1] to logits [N, 10]."""
        return self.layers(image - self.mean)

    def deepen(self) -> None:
        """Adds a convolution after the last one at 8 x 8 and at 4 x 4. Each starts as the identity,
        and a second MaxMin changes nothing, so the network computes the same function as before.
        """
        layers = list(self.layers)
        for channels in (128, 256):
            last = max(
                index
                for index, layer in enumerate(layers)
                if isinstance(layer, OrthogonalConv3x3) and layer.outputs == channels
            )
            layers[last + 2 : last + 2] = [OrthogonalConv3x3.identity(channels), MaxMin()]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)

    def initialise_from_data(self, images: torch.Tensor) -> None:
        """Does nothing: no layer depends on the data."""

    def muon_parameters(self) -> list[nn.Parameter]:
        """The weights that Muon trains."""
        return [
            matrix
            for layer in self.layers
            if hasattr(layer, "orthogonal_matrices")
            for matrix in layer.orthogonal_matrices()
        ]

    @torch.no_grad()
    def project_gradients(self) -> None:
        """Removes from each gradient the part that points off the manifold."""
        for matrix in self.muon_parameters():
            x, g = tall_view(matrix), tall_view(matrix.grad)
            inner = x.T @ g
            g -= x @ (inner + inner.T) / 2

    @torch.no_grad()
    def project_weights(self, iterations: int = 1) -> None:
        """Moves each matrix towards the nearest one with orthonormal columns (or rows), by
        Newton-Schulz iterations. One squares the deviation: enough after a step of the optimiser.
        """
        for matrix in self.muon_parameters():
            x = tall_view(matrix)
            for _ in range(iterations):
                x.copy_(1.5 * x - 0.5 * x @ (x.T @ x))


def tall_view(matrix: torch.Tensor) -> torch.Tensor:
    """A view with no more columns than rows."""
    return matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
