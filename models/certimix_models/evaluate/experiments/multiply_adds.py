"""Multiply-adds for one image of the bundled models, and of the ResNet-110 that Cohen and others
(2019) smoothed.

torch counts convolutions and matrix products, not element-wise operations. Writes
docs/results/cost.csv.
"""

import argparse

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from certimix_models import result_tables
from certimix_models.evaluate.networks.bundled_model import load_model
from certimix_models.evaluate.smoothed_votes.certified_accuracy import COHEN
from certimix_models.repository import BUNDLED_MODELS, RESULTS

TABLE = RESULTS / "cost.csv"
WIDTHS, BLOCKS = ((16, 32, 64), 18)  # ResNet-110 for CIFAR: three stages of 18 blocks of two convolutions


def run(options: argparse.Namespace) -> None:
    names = sorted(path.stem for path in BUNDLED_MODELS.glob("*.toml"))
    networks = {name: load_model(BUNDLED_MODELS / f"{name}.toml") for name in names}
    rows = [{"model": name, "multiply_adds": multiply_adds(network.torch_module)} for name, network in networks.items()]
    rows.append({"model": COHEN, "multiply_adds": multiply_adds(ResNet110())})
    result_tables.write(TABLE, rows, *(network.identity for network in networks.values()))
    for row in rows:
        print(f"{row['model']:<30} {row['multiply_adds'] / 1e6:7.1f} M")


def multiply_adds(network: nn.Module) -> int:
    """The number for one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    return counter.get_total_flops() // 2


class ResNet110(nn.Module):
    """The convolutions and the last layer of ResNet-110, with random weights: enough to count."""

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
