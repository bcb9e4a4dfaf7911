"""Draws the votes of a certificate again, with the input and the model."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple, Union

import numpy as np

from ._bounds import context, margin_needed
from ._extras import require
from ._noise import Grid, NoiseTable, chacha20_words
from ._record import Record, RecordError, parse_record
from ._verdict import Checks, VerificationReport
from ._verify import check_record

#: The most votes that are drawn again.
MAX_REPLAYED_VOTES = 10_000_000
# The votes of one run of the noise generator, in words: its memory is some 300 bytes a word.
_WORDS_AT_ONCE = 1 << 19


@dataclass(frozen=True)
class Manifest:
    """What a replay needs of a model's manifest (docs/reference/manifests.md)."""

    sha256: str
    labels: Tuple[str, ...]
    input_name: str
    output_name: str
    output_kind: str
    shape: Tuple[int, ...]
    low: float
    high: float
    guarantee: Mapping[str, Any]


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises OSError if it cannot be read, and ValueError if it is not a manifest.
    """
    toml = _toml()
    values = toml.loads(path.read_text(encoding="utf-8"))
    try:
        low, high = map(float, values["input"]["range"])
        return Manifest(
            sha256=values["sha256"].lower(),
            labels=tuple(values["labels"]),
            input_name=values["input"]["name"],
            output_name=values["output"]["name"],
            output_kind=values["output"]["kind"],
            shape=tuple(values["input"]["shape"]),
            low=low,
            high=high,
            guarantee=values["guarantee"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected a model manifest, with the field {error}") from error


def _toml() -> Any:
    try:
        import tomllib

        return tomllib
    except ModuleNotFoundError:
        return require("tomli", "replay")


def replay(
    certificate: Any, image: Any, onnx_file: Union[str, Path], manifest: Optional[Union[str, Path]] = None
) -> VerificationReport:
    """Verifies a record, and draws its votes again.

    `certificate` is a record as for `certimix.verify`. `image` is the input as it was sent: a uint8 or float32 array of the
    model's shape, or the path of a `.npy` file of one. `onnx_file` is the robust model, and `manifest` its manifest, which by
    default lies beside it with the extension `.toml`.

    For a smoothed model the report compares the counts of the votes with the redrawn ones, and the parameters of the noise with
    the manifest. For a Lipschitz model it recomputes the radius from the model's output. Everything that the record states
    about the input, the model and the labels is compared too.

    Raises ImportError without mpmath and onnxruntime (`pip install "certimix[replay]"`), OSError for a file that cannot be
    read, and ValueError for a manifest or an input that is none.
    """
    context()
    checks = Checks()
    try:
        record = parse_record(certificate)
    except RecordError as error:
        checks.fails(error.field, error.served, error.expected, str(error))
        return VerificationReport(tuple(checks.list))
    check_record(record, checks)
    path = Path(onnx_file)
    description = read_manifest(Path(manifest) if manifest is not None else path.with_suffix(".toml"))
    values = _input(image, description)
    if _check_sources(record, values, path, description, checks):
        # These depend on what is at hand now.
        checks.list = [check for check in checks.list if check not in VerificationReport(tuple(checks.list)).open]
        _check_whole_range(record, description, checks)
        if record.certificate.is_smoothed:
            _Votes(record, values, path, description).check(checks)
        elif record.certificate.status == "certified":
            _check_lipschitz(record, values, path, description, checks)
    return VerificationReport(tuple(checks.list), record.file, record.certificate.status != "certified")


def _input(image: Any, manifest: Manifest) -> Any:
    values = np.load(image, allow_pickle=False) if isinstance(image, (str, Path)) else np.asarray(image)
    if values.dtype not in (np.uint8, np.float32):
        raise ValueError(f"the input has the type {values.dtype}, expected uint8 or float32")
    if values.shape == (1, *manifest.shape):
        values = values[0]
    if values.shape != manifest.shape:
        raise ValueError(f"the input has the shape {list(values.shape)}, expected {list(manifest.shape)}")
    return np.ascontiguousarray(values)


def _check_sources(record: Record, values: Any, path: Path, manifest: Manifest, checks: Checks) -> bool:
    """Compares the input, the model and the manifest with the record. False if the rest would be about something else."""
    before = len([check for check in checks.list if check.verdict.value == "does_not_hold"])
    model_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    served = record.robust_model_sha256
    checks.require(served == model_hash, "provenance.robust_model_sha256", served, model_hash)
    if manifest.sha256 != model_hash:
        raise ValueError(f"the manifest is about the model {manifest.sha256}, and the ONNX file is {model_hash}")
    dtype = str(values.dtype)
    checks.require(record.input_dtype in (None, dtype), "input_dtype", record.input_dtype, dtype)
    little = values.astype(values.dtype.newbyteorder("<"))
    input_hash = hashlib.sha256(little.tobytes()).hexdigest()
    checks.require(record.input_sha256 in (None, input_hash), "input_sha256", record.input_sha256, input_hash)
    shape_fits = record.input_shape in (None, manifest.shape)
    checks.require(shape_fits, "input_shape", record.input_shape, manifest.shape)
    label = manifest.labels[record.class_index] if record.class_index < len(manifest.labels) else None
    checks.require(record.label == label, "label", record.label, label)
    failures = len([check for check in checks.list if check.verdict.value == "does_not_hold"])
    return failures == before


def _check_whole_range(record: Record, manifest: Manifest, checks: Checks) -> None:
    if not record.certificate.whole_range:
        return
    mp = context()
    count = math.prod(manifest.shape)
    span = mp.mpf(manifest.high) - mp.mpf(manifest.low)
    factor = {"l1": mp.mpf(count), "l2": mp.sqrt(count), "linf": mp.mpf(1)}[record.certificate.norm]
    # The radius is cut to the diameter and rounded down.
    diameter = span * factor
    near = record.certificate.radius >= diameter * (1 - mp.mpf(2) ** -40)
    checks.require(near, "whole_range", True, False, f"the radius is below the diameter of the range, {float(diameter)!r}")


def _session(path: Path) -> Any:
    runtime = require("onnxruntime", "replay")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class _Votes:
    """The votes of one certificate, drawn again."""

    def __init__(self, record: Record, values: Any, path: Path, manifest: Manifest) -> None:
        self.record, self.values, self.path, self.manifest = record, values, path, manifest

    def check(self, checks: Checks) -> None:
        certificate, guarantee = self.record.certificate, self.manifest.guarantee
        if guarantee.get("kind") != "gaussian_smoothing":
            checks.fails("method", certificate.method, f"a method for {guarantee.get('kind')}")
            return
        checks.require(certificate.sigma == guarantee["sigma"], "sigma", certificate.sigma, guarantee["sigma"])
        if certificate.sigma != guarantee["sigma"] or certificate.selection_votes + certificate.votes == 0:
            return
        grid = Grid(self.manifest.low, self.manifest.high, int(guarantee["levels"]))
        levels, on_grid = grid.levels_of(self.values)
        table = NoiseTable(grid.scale(certificate.sigma))
        self._check_losses(grid, on_grid, table, checks)
        if certificate.selection_votes + certificate.votes > MAX_REPLAYED_VOTES:
            message = f"more than {MAX_REPLAYED_VOTES} votes are not drawn again"
            checks.unknown("votes", certificate.votes, message)
            return
        self._check_votes(self._draw(levels.reshape(-1), grid, table), checks)

    def _check_losses(self, grid: Grid, on_grid: bool, table: NoiseTable, checks: Checks) -> None:
        mp = context()
        certificate = self.record.certificate
        count = math.prod(self.manifest.shape)
        variation = min(mp.mpf(count * (table.largest + 2)) / mp.mpf(2) ** 64, mp.mpf(1))
        checks.at_least("total_variation", certificate.total_variation, variation)
        loss = mp.mpf(0)
        if self.values.dtype == np.float32:
            step = mp.mpf(grid.step)
            magnitude = max(abs(mp.mpf(grid.low)), abs(mp.mpf(grid.high)), step)
            move = step / 2 + magnitude / 2**24 if on_grid else step
            loss = mp.sqrt(count) * move
        if certificate.status == "certified":
            checks.at_least("snapping_loss", certificate.snapping_loss, loss)

    def _draw(self, levels: Any, grid: Grid, table: NoiseTable) -> Any:
        """The class of each vote that the certificate counts, or -1 for a row with a NaN."""
        certificate = self.record.certificate
        total = certificate.selection_votes + certificate.votes
        session, key = _session(self.path), bytes.fromhex(certificate.noise_key)
        batch = max(certificate.batch_size, 1)
        batches_at_once = max(1, _WORDS_AT_ONCE // (len(levels) * batch))
        classes: List[Any] = []
        for first in range(0, total, batches_at_once * batch):
            # The last batch is padded with votes that are not counted.
            rows = min(batches_at_once, -(-(total - first) // batch)) * batch
            noise = table.noise(chacha20_words(key, first, rows, len(levels)))
            inputs = grid.floats(levels + noise).reshape(rows, *self.manifest.shape)
            for start in range(0, rows, batch):
                feed = {self.manifest.input_name: inputs[start : start + batch]}
                (outputs,) = session.run([self.manifest.output_name], feed)
                votes = np.where(np.isnan(outputs).any(axis=1), -1, np.argmax(outputs, axis=1))
                classes.append(votes)
        return np.concatenate(classes)[:total]

    def _check_votes(self, classes: Any, checks: Checks) -> None:
        certificate = self.record.certificate
        count = len(self.record.mixed_logits)
        selection = np.bincount(classes[: certificate.selection_votes] + 1, minlength=count + 1)[1:]
        begin = certificate.selection_votes
        counted = np.bincount(classes[begin : begin + certificate.votes] + 1, minlength=count + 1)[1:]
        selected = int(np.argmax(selection))
        if certificate.status == "certified":
            checks.require(self.record.class_index == selected, "class_index", self.record.class_index, selected)
        hits = int(counted[selected])
        runner_up = int(np.delete(counted, selected).max())
        checks.require(certificate.votes_for_class == hits, "votes_for_class", certificate.votes_for_class, hits)
        checks.require(
            certificate.votes_for_runner_up == runner_up, "votes_for_runner_up", certificate.votes_for_runner_up, runner_up
        )
        if self.record.robust_probabilities:
            shares = (selection + counted) / max(certificate.selection_votes + certificate.votes, 1)
            same = np.array_equal(shares.astype(np.float32), np.array(self.record.robust_probabilities, dtype=np.float32))
            checks.require(same, "robust_probabilities", list(self.record.robust_probabilities), shares.tolist())


def _check_lipschitz(record: Record, values: Any, path: Path, manifest: Manifest, checks: Checks) -> None:
    """Recomputes the radius of a Lipschitz certificate from the model's output."""
    mp = context()
    certificate, guarantee = record.certificate, manifest.guarantee
    methods = {"lipschitz_logits": "logit_lipschitz", "lipschitz_probabilities": "theorem1"}
    expected = methods.get(guarantee.get("kind", ""))
    if certificate.method != expected:
        checks.fails("method", certificate.method, expected or f"no certificate: the guarantee is {guarantee.get('kind')}")
        return
    if certificate.norm != guarantee["norm"]:
        checks.fails("norm", certificate.norm, guarantee["norm"])
        return
    floats = values.astype(np.float32) / np.float32(255) if values.dtype == np.uint8 else values
    (outputs,) = _session(path).run([manifest.output_name], {manifest.input_name: floats[None]})
    row = [mp.mpf(float(value)) for value in outputs[0]]
    if not all(map(mp.isfinite, row)):
        checks.fails("radius", certificate.radius, "no certificate: the model's output is not finite")
        return
    top = max(range(len(row)), key=row.__getitem__)
    checks.require(record.class_index == top, "class_index", record.class_index, top)
    radius = _logit_radius(record, row, guarantee) if expected == "logit_lipschitz" else _theorem1(record, row, guarantee)
    diameter = _diameter(certificate.norm, manifest)
    checks.at_most("radius", certificate.radius, min(radius, diameter))


def _diameter(norm: str, manifest: Manifest) -> Any:
    mp = context()
    count = math.prod(manifest.shape)
    factor = {"l1": mp.mpf(count), "l2": mp.sqrt(count), "linf": mp.mpf(1)}[norm]
    return (mp.mpf(manifest.high) - mp.mpf(manifest.low)) * factor


def _logit_radius(record: Record, logits: List[Any], guarantee: Mapping[str, Any]) -> Any:
    """The largest r with D(r) + 4e <= T p (docs/concepts/certificates.md, section 2)."""
    mp = context()
    temperature, a = mp.mpf(record.robust_temperature), mp.mpf(record.alpha)
    largest = max(logits)
    weights = [mp.exp((value - largest) / temperature) for value in logits]
    total = sum(weights)
    first, second = (value / total for value in sorted(weights, reverse=True)[:2])
    width = mp.log((2 * a - 1) * first / ((1 - a) * (1 - first) + a * second))
    slack = temperature * width - 4 * mp.mpf(guarantee["logit_error_bound"])
    rate = mp.sqrt(2) if guarantee["constant_of"] == "logit_vector" else mp.mpf(2)
    return max(slack / (rate * mp.mpf(guarantee["constant"])), mp.mpf(0))


def _theorem1(record: Record, probabilities: List[Any], guarantee: Mapping[str, Any]) -> Any:
    """Theorem 1, with 4e off each difference, and at most the neighbourhood."""
    mp = context()
    mu = margin_needed(record.alpha)
    constants = [mp.mpf(value) for value in guarantee["constants"]]
    top = record.class_index
    radius = min(
        (probabilities[top] - probabilities[other] - mu - 4 * mp.mpf(guarantee["probability_error_bound"]))
        / (constants[top] + constants[other])
        for other in range(len(probabilities))
        if other != top
    )
    if "neighbourhood" in guarantee:
        radius = min(radius, mp.mpf(guarantee["neighbourhood"]))
    return max(radius, mp.mpf(0))
