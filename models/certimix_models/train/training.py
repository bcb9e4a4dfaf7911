"""Trains one of the bundled models, exports it, and measures the exported file."""

import argparse
import sys
import time

import torch
from tqdm import tqdm

from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.onnx_accuracy import measure_and_record
from certimix_models.train.batches import LEVELS, Batches, add_noise
from certimix_models.train.export import export_model
from certimix_models.train.optimiser import Optimiser
from certimix_models.train.recipes import RECIPES, Recipe

WHITENING_IMAGES = 5_000


def run(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    cifar10 = load_cifar10(options.work_dir)
    recipe = RECIPES[options.model]
    images = torch.from_numpy(cifar10.train_images)
    batches = Batches(images, torch.from_numpy(cifar10.train_labels), recipe.batch, recipe.shift, options.seed)
    network, seconds = train_network(options, recipe, batches, images[:WHITENING_IMAGES])
    print(f"{recipe.epochs} epochs, seed {options.seed}, {seconds / 60:.0f} minutes of training", flush=True)
    manifest = export_model(network, options.model, recipe, cifar10.test_images[:16])
    measure_and_record(manifest, cifar10)


def train_network(
    options: argparse.Namespace, recipe: Recipe, batches: Batches, sample: torch.Tensor
) -> tuple[torch.nn.Module, float]:
    """The trained network, and the seconds that its epochs took, including those before an
    interruption.
    """
    network = recipe.network().to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, recipe.muon_rate, recipe.adam_rate, recipe.epochs * len(batches))
    checkpoint = options.work_dir / f"{options.model}-seed{options.seed}.pt"
    first_epoch, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        first_epoch, seconds = state["epochs_done"], state["seconds"]
        print(f"continuing {checkpoint} after epoch {first_epoch}", flush=True)
    else:
        noisy_images = add_noise(sample.float(), recipe.sigma, torch.Generator().manual_seed(options.seed))
        network.initialise_from_data(noisy_images / LEVELS)

    network.train()
    for epoch in range(first_epoch, recipe.epochs):
        started = time.monotonic()
        summary = run_epoch(network, optimiser, recipe, batches, epoch)
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
        print(f"epoch {epoch + 1}/{recipe.epochs}: {summary}, {time.monotonic() - started:.0f} s", flush=True)
    return network.eval(), seconds


def run_epoch(network, optimiser: Optimiser, recipe: Recipe, batches: Batches, epoch: int) -> str:
    """Runs one epoch and returns its loss and accuracy as text."""
    loss_sum = correct = seen = 0
    progress = tqdm(
        batches.epoch(epoch),
        total=len(batches),
        desc=f"epoch {epoch + 1}",
        mininterval=10,
        file=sys.stderr,
        leave=False,
    )
    for number, (levels, labels, generator) in enumerate(progress):
        with torch.autocast("cpu", torch.bfloat16):
            logits, loss = recipe.loss(network, levels, labels, generator)
        loss.backward()
        optimiser.step(epoch * len(batches) + number)
        seen += len(labels)
        loss_sum += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        progress.set_postfix(loss=f"{loss_sum / seen:.3f}", accuracy=f"{correct / seen:.3f}", refresh=False)
    return f"training loss {loss_sum / seen:.4f}, training accuracy {correct / seen:.4f}"
