"""Training batches: shuffle, random shift and alternating flip.

Everything random comes from one generator, seeded from (seed, epoch). So an epoch draws the same
batches after an interruption.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

LEVELS = 255
IMAGE_SIZE = 32


class Batches:
    """The training set, cut into random batches."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, batch: int, shift: int, seed: int):
        """`images` are uint8 [N, 3, 32, 32]. Each moves by up to `shift` pixels in each direction;
        its edge is reflected.
        """
        self.padded = F.pad(images.float(), (shift,) * 4, mode="reflect").to(torch.uint8)
        self.labels = labels.long()
        self.batch = batch
        self.seed = seed
        # An image that one epoch shows unmirrored, the next epoch shows mirrored (Jordan 2024,
        # section 3.6).
        self.flipped_first = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed)) < 0.5

    def __len__(self) -> int:
        return len(self.labels) // self.batch

    def epoch(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Generator]]:
        """The batches of one epoch: levels (float, whole numbers), labels, and the generator for
        everything else that is random. The last, incomplete batch is left out.
        """
        generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
        order = torch.randperm(len(self.labels), generator=generator)
        for start in range(0, len(self) * self.batch, self.batch):
            indices = order[start : start + self.batch]
            levels = self._shift_and_flip(indices, self.flipped_first[indices] ^ bool(epoch % 2), generator)
            yield (levels.float().contiguous(memory_format=torch.channels_last), self.labels[indices], generator)

    def _shift_and_flip(self, indices: torch.Tensor, flip: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        count = len(indices)
        positions = self.padded.shape[-1] - IMAGE_SIZE + 1
        top, left = torch.randint(0, positions, (2, count, 1), generator=generator)
        pixels = torch.arange(IMAGE_SIZE)
        rows = top + pixels
        columns = left + torch.where(flip[:, None], pixels.flip(0), pixels)
        # [count, 1, 1, 1], [1, 3, 1, 1], [count, 1, size, 1], [count, 1, 1, size] broadcast to [count, 3, size, size]
        channels = torch.arange(3).view(1, 3, 1, 1)
        return self.padded[indices.view(-1, 1, 1, 1), channels, rows[:, None, :, None], columns[:, None, None, :]]


def add_noise(levels: torch.Tensor, sigma: float, generator: torch.Generator) -> torch.Tensor:
    """Pixel levels plus Gaussian noise rounded to whole levels, not clipped: the server does the
    same for each vote.

    `sigma` is in units of the image in [0, 1].
    """
    noise = torch.randn(levels.shape, generator=generator) * (sigma * LEVELS)
    return levels + noise.round().contiguous(memory_format=torch.channels_last)
