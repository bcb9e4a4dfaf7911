"""Trains one model on a CPU and exports it.

    python models/train/train.py standard
    python models/train/train.py smoothed --sigma 0.25

A checkpoint is written after each epoch; the same command continues a run that was stopped. With the same seed and
the same number of threads an interrupted run and an uninterrupted one see the same batches.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

import data
import evaluate
import export
from batches import Batches
from network import ResNet20

BATCH = 128
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
# All epochs but the last ones see crops of 24 x 24 pixels, which cost little more than half as much.
SMALL_CROP, FULL_SIZE = 24, 32
FULL_SIZE_EPOCHS = {"standard": 4, "smoothed": 3}
# The learning rate at these epochs, straight lines between them; the last one ends the training.
LEARNING_RATE = {
    "standard": ((0, 0.025), (3, 0.25), (9, 0.0625), (12, 0.0)),
    "smoothed": ((0, 0.025), (3, 0.25), (10, 0.0)),
}
LABEL_SMOOTHING = {"standard": 0.1, "smoothed": 0.0}


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    cifar = data.load(options.work_dir)
    sigma = options.sigma if options.kind == "smoothed" else 0.0
    batches = Batches(
        torch.from_numpy(cifar.train_images), torch.from_numpy(cifar.train_labels), BATCH, sigma, options.seed
    )
    network, seconds = train(options, batches)
    print(f"{epochs_of(options.kind)} epochs, seed {options.seed}, {seconds / 60:.0f} minutes of training", flush=True)
    manifest = export.export(network, options.kind, sigma, cifar.test_images[:16])
    evaluate.evaluate(manifest, cifar)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["standard", "smoothed"])
    parser.add_argument("--sigma", type=float, default=0.25, help="noise of `smoothed`, for images in [0, 1]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="1: train both models at once on 2 cores")
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR, help="data set and checkpoints")
    return parser.parse_args()


def train(options: argparse.Namespace, batches: Batches) -> tuple[ResNet20, float]:
    """The trained network and the seconds that its epochs took, those before an interruption included."""
    network = ResNet20().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(parameter_groups(network), lr=0.0, momentum=MOMENTUM, nesterov=True)
    epochs = epochs_of(options.kind)
    checkpoint = checkpoint_path(options)
    first, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first, seconds = state["epochs_done"], state["seconds"]
        print(f"continuing {checkpoint} after epoch {first}", flush=True)

    network.train()
    for epoch in range(first, epochs):
        started = time.monotonic()
        report = run_epoch(network, optimizer, batches, epoch, options.kind)
        seconds += time.monotonic() - started
        state = {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epochs_done": epoch + 1,
            "seconds": seconds,
        }
        partial = checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(checkpoint)
        print(f"epoch {epoch + 1}/{epochs}: {report}, {time.monotonic() - started:.0f} s", flush=True)
    return network.eval(), seconds


def run_epoch(network, optimizer, batches: Batches, epoch: int, kind: str) -> str:
    loss_sum = correct = seen = 0
    size = SMALL_CROP if epoch < epochs_of(kind) - FULL_SIZE_EPOCHS[kind] else FULL_SIZE
    bar = tqdm(
        batches.epoch(epoch, size),
        total=len(batches),
        desc=f"epoch {epoch + 1}",
        mininterval=10,
        file=sys.stderr,
        leave=False,
    )
    for step, (images, labels) in enumerate(bar):
        rate = learning_rate(kind, epoch + step / len(batches))
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = network(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING[kind])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seen += len(labels)
        loss_sum += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        bar.set_postfix(loss=f"{loss_sum / seen:.3f}", accuracy=f"{correct / seen:.3f}", refresh=False)
    return f"training loss {loss_sum / seen:.4f}, training accuracy {correct / seen:.4f}"


def learning_rate(kind: str, epoch: float) -> float:
    epochs, rates = zip(*LEARNING_RATE[kind])
    return float(np.interp(epoch, epochs, rates))


def epochs_of(kind: str) -> int:
    return LEARNING_RATE[kind][-1][0]


def parameter_groups(network: torch.nn.Module) -> list[dict]:
    """Weight decay on the matrices and kernels alone, not on biases or batch normalisation."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]


def checkpoint_path(options: argparse.Namespace) -> Path:
    """One file for each run whose settings differ, so that a run never continues another."""
    sigma = f"-sigma{options.sigma}" if options.kind == "smoothed" else ""
    return options.work_dir / f"{options.kind}{sigma}-seed{options.seed}.pt"


if __name__ == "__main__":
    main()
