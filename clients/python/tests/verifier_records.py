"""Records of every kind of certificate, from the real server and the real client commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy

from support import PATIENCE, ROOT, Server

FIXTURES = ROOT / "tests" / "fixtures"
Row = Dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """Records of one server by one command."""

    name: str
    records: List[Row]
    inputs: Any
    model: Path
    manifest: Path


def smooth_inputs(count: int, spread: float) -> Any:
    """Inputs along the normal of `half_space` and `two_borders`, where the class changes, and some beside it."""
    random = numpy.random.default_rng(20)
    along = numpy.linspace(-spread, spread, count)[:, None] * numpy.ones((1, 4))
    along[1::2] += random.uniform(-0.05, 0.05, along[1::2].shape)
    # Even rows lie on the grid of 1 / 4096, odd ones beside it.
    along[0::2] = numpy.round(along[0::2] * 4096) / 4096
    return along.clip(-1, 1).astype(numpy.float32)


def linear_inputs(count: int) -> Any:
    """Inputs with certified and uncertified margins."""
    return numpy.random.default_rng(21).uniform(-1, 1, (count, 4)).astype(numpy.float32)


def byte_inputs(count: int) -> Any:
    """Bytes on both sides of the border of `pixels_h`."""
    return numpy.random.default_rng(22).integers(0, 256, (count, 4)).astype(numpy.uint8)


def image_inputs(count: int) -> Any:
    """Images with a bright first channel and a dark last one."""
    bright = numpy.random.default_rng(23).integers(0, 256, (count, 3, 8, 8))
    return (bright // numpy.array([1, 3, 9])[:, None, None]).astype(numpy.uint8)


def _command(server: Server, inputs: Any, arguments: Sequence[str]) -> List[Row]:
    path = server.folder / "inputs.npy"
    numpy.save(path, inputs)
    command = [os.environ["CERTIMIX_TEST_BINARY"], arguments[0], str(path), "--json", "--quiet", "--batch", "16"]
    command += ["--address", server.tcp, *arguments[1:]]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == len(inputs)
    return rows


def _manifest(folder: Path, title: str, name: str, edits: Dict[str, str]) -> Path:
    text = (FIXTURES / f"{name}.toml").read_text()
    for old, new in {'file = "': f'file = "{FIXTURES}/', **edits}.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{title}.toml"
    path.write_text(text)
    return path


def _model(manifest: Path) -> Path:
    return Path(re.findall('^file = "(.*)"', manifest.read_text(), flags=re.MULTILINE)[0])


SMOOTHED = {"runtime.robust_batch_size": "64", "certificate.predict_votes": "300", "mixture.fallback_alpha": "0.3"}
Commands = Dict[str, Tuple[str, ...]]
PREDICT: Commands = {"": ("predict", "--components")}
VOTES: Commands = {
    "": ("predict", "--components"),
    "bare": ("predict",),
    "target": ("certify", "--votes", "600", "--target-radius", "0.1"),
    "no-target": ("certify", "--votes", "400"),
    "clopper-pearson": ("certify", "--votes", "500", "--bound", "clopper-pearson"),
    "clopper-pearson-target": ("certify", "--votes", "300", "--bound", "clopper-pearson", "--target-radius", "0.05"),
    "few-votes": ("certify", "--votes", "12"),
    "likely": ("certify", "--votes", "200", "--failure-probability", "0.01"),
}

#: name: standard model, robust model, edits of its manifest, settings, inputs, commands
SERVERS: Dict[str, Tuple[str, str, Dict[str, str], Dict[str, str], Any, Commands]] = {
    "logits-l2": ("linear_g", "linear_h", {}, {"mixture.alpha": "0.8", "mixture.fallback_alpha": "0.1"}, linear_inputs(16), PREDICT),
    "logits-linf": ("linear_g", "linear_h_linf", {}, {"mixture.alpha": "0.9"}, linear_inputs(12), PREDICT),
    "logits-whole-range": (
        "linear_g",
        "linear_h",
        {"constant = 4.0": "constant = 0.001"},
        {},
        linear_inputs(6),
        PREDICT,
    ),
    "probabilities": ("linear_g", "softmax_h", {}, {"mixture.fallback_alpha": "0.0"}, linear_inputs(16), PREDICT),
    "logits-bytes": (
        "image_g",
        "image_h",
        {},
        {},
        image_inputs(6),
        PREDICT,
    ),
    "unproven": ("linear_g", "linear_h_unproven", {}, {}, linear_inputs(4), PREDICT),
    "votes-two-classes": ("steep_g", "half_space", {}, SMOOTHED, smooth_inputs(12, 0.5), VOTES),
    "votes-three-classes": ("linear_g", "two_borders", {}, {**SMOOTHED, "mixture.alpha": "0.7"}, smooth_inputs(12, 0.5), VOTES),
    "votes-theorem2": (
        "steep_g",
        "half_space",
        {},
        {**SMOOTHED, "certificate.radius": '"theorem2"', "mixture.alpha": "0.9"},
        smooth_inputs(10, 0.7),
        {key: VOTES[key] for key in ("", "target", "clopper-pearson")},
    ),
    "votes-capped-target": (
        "steep_g",
        "half_space",
        {},
        {**SMOOTHED, "certificate.predict_target_radius": "5.0"},
        smooth_inputs(8, 0.9),
        PREDICT,
    ),
    "votes-unavailable": ("steep_g", "half_space", {}, {**SMOOTHED, "mixture.alpha": "0.5"}, smooth_inputs(4, 0.3), PREDICT),
    "votes-whole-range": (
        "steep_g",
        "half_space",
        {"sigma = 0.25": "sigma = 0.5", "range = [-1.0, 1.0]": "range = [0.5, 1.0]"},
        {**SMOOTHED, "mixture.alpha": "1.0", "mixture.fallback_alpha": "1.0"},
        numpy.ones((2, 4), dtype=numpy.float32),
        {"": ("certify", "--votes", "2000", "--failure-probability", "0.01")},
    ),
    "votes-two-sided": (
        "linear_g",
        "two_borders",
        {"sigma = 0.25": "sigma = 0.11"},
        {**SMOOTHED, "mixture.alpha": "0.95"},
        smooth_inputs(16, 0.02),
        VOTES,
    ),
    "votes-bytes": ("pixels_g", "pixels_h", {}, SMOOTHED, byte_inputs(12), VOTES),
}


def make_records(folder: Path) -> List[Kind]:
    """Runs each server and each command. The manifests of the robust models are written into the folder."""
    kinds = []
    for name, (standard, robust, edits, settings, inputs, commands) in SERVERS.items():
        manifest = _manifest(folder, name, robust, edits)
        # Both models have one range.
        ranges = {old: new for old, new in edits.items() if old.startswith("range")}
        models = {"models.robust": manifest, "models.standard": _manifest(folder, f"{name}-standard", standard, ranges)}
        with Server({**{key: f'"{path}"' for key, path in models.items()}, **settings}) as server:
            for suffix, arguments in commands.items():
                title = f"{name}/{suffix}" if suffix else name
                kinds.append(Kind(title, _command(server, inputs, arguments), inputs, _model(manifest), manifest))
    return kinds
