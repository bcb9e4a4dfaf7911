#!/usr/bin/env python3
"""Multiply-adds an image of the bundled models, and of the ResNet-110 that Cohen and others (2019) smoothed, counted by torch.

    .cache/venv/bin/python models/evaluate/paper/cost.py    # writes docs/results/cost.csv

Convolutions and matrix products are counted; what is done once an element is not.
"""

import certified_figure
import models
import torch
from runs import BUNDLED
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from training import data, tables

TABLE = data.REPOSITORY / "docs" / "results" / "cost.csv"
WIDTHS, BLOCKS = (16, 32, 64), 18  # of ResNet-110 for CIFAR: three stages of 18 blocks of two convolutions


def main() -> None:
    names = sorted(path.stem for path in BUNDLED.glob("*.toml"))
    networks = {name: models.load(BUNDLED / f"{name}.toml") for name in names}
    rows = [{"model": name, "multiply_adds": multiply_adds(network.torch)} for name, network in networks.items()]
    rows.append({"model": certified_figure.COHEN, "multiply_adds": multiply_adds(ResNet110())})
    tables.write(TABLE, rows, *(network.identity for network in networks.values()))
    for row in rows:
        print(f"{row['model']:<30} {row['multiply_adds'] / 1e6:7.1f} M")


def multiply_adds(network: nn.Module) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    return counter.get_total_flops() // 2


class ResNet110(nn.Module):
    """Its convolutions and its last layer, without weights that mean anything: enough to count."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, WIDTHS[0], 3, padding=1)
        self.stages, self.shortcuts = nn.ModuleList(), nn.ModuleList()
        before = WIDTHS[0]
        for width in WIDTHS:
            stride = 1 if width == before else 2
            convolutions = [nn.Conv2d(before, width, 3, stride, 1)]
            convolutions += [nn.Conv2d(width, width, 3, padding=1) for _ in range(2 * BLOCKS - 1)]
            self.stages.append(nn.Sequential(*convolutions))
            self.shortcuts.append(nn.Identity() if stride == 1 else nn.Conv2d(before, width, 1, stride))
            before = width
        self.last = nn.Linear(before, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for stage, shortcut in zip(self.stages, self.shortcuts, strict=True):
            x = stage(x) + shortcut(x)
        return self.last(x.mean(dim=(2, 3)))


if __name__ == "__main__":
    main()
