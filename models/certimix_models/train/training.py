"""Trains one of the bundled CIFAR-10 models, exports it to ONNX with its manifest, and measures what came out.

    python models/train/train.py standard
    python models/train/train.py smoothed-025

Writes models/cifar10/<model>.onnx and .toml. Stop it whenever you like: started again, it goes on after the last whole
epoch. The seeds are fixed, so two runs on the same processor with the same number of threads give the same weights.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

import data
import evaluate
import export
from batches import LEVELS, Batches, add_noise
from optimiser import Optimiser
from recipes import RECIPES, Recipe

WHITENING_IMAGES = 5_000


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    cifar = data.load(options.work_dir)
    recipe = RECIPES[options.model]
    images = torch.from_numpy(cifar.train_images)
    batches = Batches(images, torch.from_numpy(cifar.train_labels), recipe.batch, recipe.shift, options.seed)
    network, seconds = train(options, recipe, batches, images[:WHITENING_IMAGES])
    print(f"{recipe.epochs} epochs, seed {options.seed}, {seconds / 60:.0f} minutes of training", flush=True)
    manifest = export.export(network, options.model, recipe, cifar.test_images[:16])
    evaluate.evaluate(manifest, cifar)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=RECIPES, help="; ".join(f"{name}: {r.about}" for name, r in RECIPES.items()))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="1: train two models at once on 2 cores")
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR, help="data set and checkpoints")
    return parser.parse_args()


def train(
    options: argparse.Namespace, recipe: Recipe, batches: Batches, sample: torch.Tensor
) -> tuple[torch.nn.Module, float]:
    """The trained network and the seconds that its epochs took, those before an interruption included."""
    network = recipe.network().to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, recipe.muon_rate, recipe.adam_rate, recipe.epochs * len(batches))
    checkpoint = options.work_dir / f"{options.model}-seed{options.seed}.pt"
    first, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        first, seconds = state["epochs_done"], state["seconds"]
        print(f"continuing {checkpoint} after epoch {first}", flush=True)
    else:
        seen = add_noise(sample.float(), recipe.sigma, torch.Generator().manual_seed(options.seed))
        network.prepare(seen / LEVELS)

    network.train()
    for epoch in range(first, recipe.epochs):
        started = time.monotonic()
        report = run_epoch(network, optimiser, recipe, batches, epoch)
        seconds += time.monotonic() - started
        state = {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "epochs_done": epoch + 1,
            "seconds": seconds,
        }
        partial = checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(checkpoint)
        print(f"epoch {epoch + 1}/{recipe.epochs}: {report}, {time.monotonic() - started:.0f} s", flush=True)
    return network.eval(), seconds


def run_epoch(network, optimiser: Optimiser, recipe: Recipe, batches: Batches, epoch: int) -> str:
    loss_sum = correct = seen = 0
    bar = tqdm(
        batches.epoch(epoch),
        total=len(batches),
        desc=f"epoch {epoch + 1}",
        mininterval=10,
        file=sys.stderr,
        leave=False,
    )
    for number, (levels, labels, generator) in enumerate(bar):
        with torch.autocast("cpu", torch.bfloat16):
            logits, loss = recipe.loss(network, levels, labels, generator)
        loss.backward()
        optimiser.step(epoch * len(batches) + number)
        seen += len(labels)
        loss_sum += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        bar.set_postfix(loss=f"{loss_sum / seen:.3f}", accuracy=f"{correct / seen:.3f}", refresh=False)
    return f"training loss {loss_sum / seen:.4f}, training accuracy {correct / seen:.4f}"


if __name__ == "__main__":
    main()
