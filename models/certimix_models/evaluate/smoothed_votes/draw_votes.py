"""Draws votes of smoothed models, for certified accuracy against radius.

The counts of each image are kept as soon as they are complete. So a run that is stopped continues
where it was, and shards may run side by side or one after another.
"""

import argparse
import csv
import hashlib
import sys
import time
from pathlib import Path

from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.evaluate.networks.bundled_model import load_model
from certimix_models.evaluate.smoothed_votes.certified_accuracy import write_table_and_figure
from certimix_models.evaluate.smoothed_votes.stopping_rule import StoppingRule, VotePlan
from certimix_models.evaluate.smoothed_votes.vote_records import (
    VoteRecord,
    VoteSettings,
    draw_votes_for_image,
    read_votes,
    write_votes,
)


def run(options: argparse.Namespace) -> None:
    started = time.monotonic()
    for manifest in options.manifests:
        draw_model_votes(manifest, options)
    write_table_and_figure(options.results)
    print(f"took {(time.monotonic() - started) / 60:.1f} minutes")


def draw_model_votes(path: Path, options: argparse.Namespace) -> None:
    """Draws the votes of this shard, and writes the model's votes once no image is left."""
    model = load_model(path, threads=options.threads)
    if model.manifest["guarantee"]["kind"] != "gaussian_smoothing":
        sys.exit(f"{path}: the model is not smoothed")
    sigma = model.manifest["guarantee"]["sigma"]
    plan = VotePlan(sigma, tuple(options.radii), options.failure_probability, options.budget, options.resolution)
    radii = ",".join(f"{radius:g}" for radius in sorted(options.radii))
    header = VoteSettings(
        *(path.stem, model.sha256, sigma, options.every, options.selection, options.failure_probability),
        *(radii, options.budget, options.resolution, options.seed),
    ).header()
    folder = options.cache / f"{path.stem}-{hashlib.sha256(header.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    cifar10 = load_cifar10(options.work_dir)
    image_indices = list(range(0, len(cifar10.test_labels), options.every))[: options.images]
    shard, shards = map(int, options.shard.split("/"))
    rule = StoppingRule(plan)
    shard_file = folder / f"shard-{shard}-of-{shards}.csv"
    if not shard_file.exists():
        write_votes(shard_file, header, [])
    write_votes(shard_file, header, read_votes(shard_file)[1])  # drops an incomplete last line
    drawn_images = {row.image for row in read_shards(folder)}
    shard_images = [index for index in image_indices[shard::shards] if index not in drawn_images]
    with shard_file.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for index in tqdm(shard_images, desc=path.stem, unit="image"):
            image, label = cifar10.test_images[index], int(cifar10.test_labels[index])
            writer.writerow(
                draw_votes_for_image(model, rule, options.selection, index, image, label, options.seed).csv_fields()
            )
            file.flush()
    rows = {row.image: row for row in read_shards(folder)}
    total_votes = sum(sum(row.counts) for row in rows.values())
    print(
        f"{path.stem}: {len(rows)} of {len(image_indices)} images, {total_votes / max(1, len(rows)):.0f} votes for each image"
    )
    if options.images is None and set(image_indices) <= set(rows):
        table = options.results / (options.table or f"votes_{path.stem}.csv")
        write_votes(table, header, [rows[index] for index in image_indices])
        result_tables.record_provenance(table, model.identity)


def read_shards(folder: Path) -> list[VoteRecord]:
    """The records of all shards."""
    return [row for path in sorted(folder.glob("shard-*.csv")) for row in read_votes(path)[1]]
