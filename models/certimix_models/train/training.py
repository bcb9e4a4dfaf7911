"""Trains one of the models, exports it, and measures the exported file."""

import argparse
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.onnx_accuracy import measure_and_record
from certimix_models.train.batches import LEVELS, Batches, add_noise
from certimix_models.train.export import export_model
from certimix_models.train.optimiser import Optimiser
from certimix_models.train.recipes import RECIPES, Recipe, Stage
from certimix_models.train.weight_average import WeightAverage

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
    checkpoint = options.work_dir / f"{options.model}-seed{options.seed}.pt"
    state = {"epochs_done": 0, "seconds": 0.0}
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        print(f"continuing {checkpoint} after epoch {state['epochs_done']}", flush=True)
    else:
        noisy_images = add_noise(sample.float(), recipe.sigma, torch.Generator().manual_seed(options.seed))
        network.initialise_from_data(noisy_images / LEVELS)

    network.train()
    stage_start = 0  # the stage's first epoch
    for stage in recipe.stages:
        stage_end = stage_start + stage.epochs
        if stage.deepened:
            network.deepen()
        if stage_start < state["epochs_done"] <= stage_end:
            network.load_state_dict(state["network"])
        if state["epochs_done"] < stage_end:
            state = run_stage(network, recipe, stage, stage_start, state, batches, checkpoint)
        stage_start = stage_end
    return network.eval(), state["seconds"]


def run_stage(
    network: torch.nn.Module,
    recipe: Recipe,
    stage: Stage,
    stage_start: int,
    state: dict,
    batches: Batches,
    checkpoint: Path,
) -> dict:
    """Trains the network from `state` to the end of the stage. Returns the state there. Each epoch
    writes a checkpoint. A state from within the stage also restores the optimiser.
    """
    optimiser = Optimiser(
        network,
        stage.rate * recipe.muon_rate,
        stage.rate * recipe.adam_rate,
        stage.epochs * len(batches),
        stage.final_rate / stage.rate,
    )
    average = WeightAverage(network) if stage.averaged else None
    if state["epochs_done"] > stage_start:
        optimiser.load_state_dict(state["optimiser"])
        if average:
            average.load_state_dict(state["average"])
    for epoch in range(state["epochs_done"], stage_start + stage.epochs):
        started = time.monotonic()
        summary = run_epoch(network, optimiser, average, recipe, batches, epoch, stage_start)
        if average and epoch + 1 == stage_start + stage.epochs:
            average.copy_to(network)
        state = {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "average": average.state_dict() if average else {},
            "epochs_done": epoch + 1,
            "seconds": state["seconds"] + time.monotonic() - started,
        }
        partial = checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(checkpoint)
        print(f"epoch {epoch + 1}/{recipe.epochs}: {summary}, {time.monotonic() - started:.0f} s", flush=True)
    return state


def run_epoch(
    network,
    optimiser: Optimiser,
    average: WeightAverage | None,
    recipe: Recipe,
    batches: Batches,
    epoch: int,
    stage_start: int,
) -> str:
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
        optimiser.step((epoch - stage_start) * len(batches) + number)
        if average:
            average.add(network)
        seen += len(labels)
        loss_sum += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        progress.set_postfix(loss=f"{loss_sum / seen:.3f}", accuracy=f"{correct / seen:.3f}", refresh=False)
    return f"training loss {loss_sum / seen:.4f}, training accuracy {correct / seen:.4f}"
