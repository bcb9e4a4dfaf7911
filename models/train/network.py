"""ResNet-20 for 32 x 32 images: 0.27 million parameters, about 41 million multiply-adds an image.

He et al. 2015, section 4.2, with 1x1 convolutions where a block changes shape. The normalisation of the pixels is
part of the network, so that its input is the plain image in [0, 1].
"""

import torch
from torch import nn

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
WIDTHS = (16, 32, 64)
BLOCKS_PER_STAGE = 3
CLASSES = 10


class ConvBn(nn.Module):
    """A convolution and its batch normalisation, which export.py folds into one convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first = ConvBn(inputs, outputs, 3, stride)
        self.second = ConvBn(outputs, outputs, 3)
        same_shape = inputs == outputs and stride == 1
        self.shortcut = None if same_shape else ConvBn(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = x if self.shortcut is None else self.shortcut(x)
        return torch.relu_(self.second(torch.relu_(self.first(x))) + skip)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / torch.tensor(STD).view(1, 3, 1, 1))
        self.stem = ConvBn(3, WIDTHS[0], 3)
        blocks, inputs = [], WIDTHS[0]
        for stage, outputs in enumerate(WIDTHS):
            for position in range(BLOCKS_PER_STAGE):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(Block(inputs, outputs, stride))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, 32, 32] in [0, 1] (noise may take them outside) to logits [N, 10]."""
        x = (image - self.mean) * self.scale
        x = self.blocks(torch.relu_(self.stem(x)))
        return self.head(x.mean(dim=(2, 3)))
