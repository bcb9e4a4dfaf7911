#!/usr/bin/env python3
"""Certified accuracy against radius of smoothed models, beside Cohen and others (2019).

    .cache/venv/bin/python models/evaluate/paper/certified.py models/cifar10/smoothed-025.toml [--shard 0/2 & --shard 1/2]
    .cache/venv/bin/python models/evaluate/paper/certified.py        # the summary and the figure only

Votes are drawn by ONNX Runtime from the bundled file, for every 20th test image, 100 to select the class and then as many as it
takes: `stopping.py` says when enough is enough, and why that is sound. Each image's counts are kept as soon as they are there
(.cache/results/certified), so that a run that was cut off goes on where it was, and shards may run side by side or one after another.
With the last image the votes are written to docs/results/votes_<model>.csv, and from all such files certified.csv and certified.png.
"""

import argparse
import csv
import hashlib
import sys
import time
from pathlib import Path

import certified_figure
import models
import stopping
import votes
from stopping import Plan, Stopping
from tqdm import tqdm
from training import data, tables

REPOSITORY = Path(__file__).resolve().parents[3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, nargs="*")
    parser.add_argument("--every", type=int, default=20, help="every n-th test image, from the first")
    parser.add_argument("--images", type=int, help="only so many of them, to try; nothing is written to docs")
    parser.add_argument("--radii", type=float, nargs="+", default=[k / 8 for k in range(7)])
    parser.add_argument("--failure-probability", type=float, default=0.001)
    parser.add_argument("--selection", type=int, default=100, help="votes that choose the class and are then dropped")
    parser.add_argument("--budget", type=int, default=100_000, help="the most votes an image")
    parser.add_argument("--resolution", type=float, default=stopping.RESOLUTION, help="of radii, in sigma: finer costs more votes")
    parser.add_argument("--shard", default="0/1", help="i/n: every n-th of the images, from the i-th")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR)
    parser.add_argument("--cache", type=Path, default=REPOSITORY / ".cache" / "results" / "certified")
    parser.add_argument("--table", help="name of the votes' file (default: votes_MODEL.csv; the summary is made of files so named)")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "docs" / "results")
    options = parser.parse_args()
    started = time.monotonic()
    for manifest in options.manifests:
        run(manifest, options)
    certified_figure.make(options.results)
    print(f"took {(time.monotonic() - started) / 60:.1f} minutes")


def run(path: Path, options: argparse.Namespace) -> None:
    """Draws this shard's votes, and writes the model's votes if no image is left."""
    model = models.load(path, threads=options.threads)
    if model.manifest["guarantee"]["kind"] != "gaussian_smoothing":
        sys.exit(f"{path}: is not smoothed")
    sigma = model.manifest["guarantee"]["sigma"]
    plan = Plan(sigma, tuple(options.radii), options.failure_probability, options.budget, options.resolution)
    radii = ",".join(f"{radius:g}" for radius in sorted(options.radii))
    origin = votes.Origin(
        *(path.stem, model.sha256, sigma, options.every, options.selection, options.failure_probability),
        *(radii, options.budget, options.resolution, options.seed),
    ).line()
    folder = options.cache / f"{path.stem}-{hashlib.sha256(origin.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    cifar = data.load(options.work_dir)
    wanted = list(range(0, len(cifar.test_labels), options.every))[: options.images]
    shard, shards = map(int, options.shard.split("/"))
    rule = Stopping(plan)
    kept = folder / f"shard-{shard}-of-{shards}.csv"
    if not kept.exists():
        votes.write(kept, origin, [])
    votes.write(kept, origin, votes.read(kept)[1])  # without a line that was cut off
    done = {row.image for row in everything(folder)}
    mine = [index for index in wanted[shard::shards] if index not in done]
    with kept.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for index in tqdm(mine, desc=path.stem, unit="image"):
            image, label = cifar.test_images[index], int(cifar.test_labels[index])
            writer.writerow(votes.draw(model, rule, options.selection, index, image, label, options.seed).fields())
            file.flush()
    rows = {row.image: row for row in everything(folder)}
    drawn = sum(sum(row.counts) for row in rows.values())
    print(f"{path.stem}: {len(rows)} of {len(wanted)} images, {drawn / max(1, len(rows)):.0f} votes an image")
    if options.images is None and set(wanted) <= set(rows):
        table = options.results / (options.table or f"votes_{path.stem}.csv")
        votes.write(table, origin, [rows[index] for index in wanted])
        tables.record(table, model.identity)


def everything(folder: Path) -> list[votes.Row]:
    return [row for path in sorted(folder.glob("shard-*.csv")) for row in votes.read(path)[1]]


if __name__ == "__main__":
    main()
