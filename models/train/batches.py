"""Training batches: shuffle, random crop and flip, and the Gaussian noise of randomised smoothing.

Everything random comes from one generator that is seeded from (seed, epoch): an epoch draws the same batches
whether the run was interrupted before it or not.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

PADDING = 4
LEVELS = 255


class Batches:
    def __init__(self, images: torch.Tensor, labels: torch.Tensor, batch: int, sigma: float, seed: int):
        """`images` are uint8 [N, 3, 32, 32]; `sigma` is in units of the image in [0, 1], 0 for no noise."""
        self.padded = F.pad(images.float(), (PADDING,) * 4, mode="reflect").to(torch.uint8)
        self.labels = labels.long()
        self.batch = batch
        self.sigma = sigma
        self.seed = seed

    def __len__(self) -> int:
        return len(self.labels) // self.batch

    def epoch(self, epoch: int, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of one epoch, crops of size x size pixels; the last, incomplete batch is left out."""
        generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
        order = torch.randperm(len(self.labels), generator=generator)
        for start in range(0, len(self) * self.batch, self.batch):
            chosen = order[start : start + self.batch]
            images = self._crop_and_flip(chosen, size, generator).float()
            if self.sigma > 0:
                images = add_noise(images, self.sigma, generator)
            images = (images / LEVELS).contiguous(memory_format=torch.channels_last)
            yield images, self.labels[chosen]

    def _crop_and_flip(self, chosen: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
        count = len(chosen)
        positions = self.padded.shape[-1] - size + 1
        top, left = torch.randint(0, positions, (2, count, 1), generator=generator)
        flip = torch.rand((count, 1), generator=generator) < 0.5
        line = torch.arange(size)
        rows = top + line
        columns = left + torch.where(flip, line.flip(0), line)
        # [count, 1, 1, 1], [1, 3, 1, 1], [count, 1, size, 1], [count, 1, 1, size] broadcast to [count, 3, size, size]
        channels = torch.arange(3).view(1, 3, 1, 1)
        return self.padded[chosen.view(-1, 1, 1, 1), channels, rows[:, None, :, None], columns[:, None, None, :]]


def add_noise(levels: torch.Tensor, sigma: float, generator: torch.Generator) -> torch.Tensor:
    """Pixel levels plus Gaussian noise rounded to whole levels, not clipped: what the server does for each vote."""
    noise = torch.randn(levels.shape, generator=generator) * (sigma * LEVELS)
    return levels + noise.round()
