"""The subject of a proof: an ONNX file, its manifest if there is one, and the inputs that the proof
is about.
"""

import argparse
import hashlib
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

import onnx


class SubjectError(ValueError):
    """The command line, the manifest and the ONNX file do not say what to prove."""


@dataclass
class Subject:
    """An ONNX file and the box of inputs for which it is proved."""

    model_path: Path
    content: bytes
    manifest_path: Path  # where the manifest is, or where `--write` creates it
    manifest_text: str | None
    shape: list[int]  # of one input, without the batch axis
    range: list[float]  # the lowest and the highest value of an input
    input_name: str
    output_name: str

    @property
    def manifest(self) -> dict | None:
        return None if self.manifest_text is None else tomllib.loads(self.manifest_text)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def name(self) -> str:
        manifest = self.manifest
        return self.model_path.stem if manifest is None else manifest["name"]

    @property
    def manifest_names_another_model(self) -> bool:
        manifest = self.manifest
        return manifest is not None and manifest.get("sha256") != self.sha256


def read_subject(options: argparse.Namespace) -> Subject:
    """The subject that the options name: `model` is an ONNX file or a manifest. Raises
    `SubjectError`.
    """
    path: Path = options.model
    manifest_path = path.with_suffix(".toml") if path.suffix == ".onnx" else path
    manifest_text = _read_manifest(manifest_path) if manifest_path.exists() or path.suffix != ".onnx" else None
    model_path = path
    if manifest_text is not None:
        model_path = manifest_path.parent / tomllib.loads(manifest_text)["file"]
        if path.suffix == ".onnx" and model_path.resolve() != path.resolve():
            raise SubjectError(
                f"{manifest_path}: field file names {model_path.name}, not {path.name}; pass the manifest of {path.name}"
            )
    try:
        content = model_path.read_bytes()
        graph = onnx.load_from_string(content).graph
    except (OSError, onnx.checker.ValidationError, ValueError) as error:
        raise SubjectError(f"{model_path}: cannot be read as an ONNX file: {error}") from error
    except Exception as error:  # protobuf's DecodeError has no public base class
        raise SubjectError(f"{model_path}: is not an ONNX file: {error}") from error
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise SubjectError(f"{model_path}: has {len(inputs)} inputs and {len(graph.output)} outputs, not one of each")
    shape, bounds = _input_box(options, manifest_path, manifest_text, inputs[0])
    return Subject(
        model_path, content, manifest_path, manifest_text, shape, bounds, inputs[0].name, graph.output[0].name
    )


def _read_manifest(path: Path) -> str:
    try:
        text = path.read_text()
        manifest = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SubjectError(f"{path}: cannot be read as a manifest: {error}") from error
    for field in ("name", "file", "labels", "sha256"):
        if field not in manifest:
            raise SubjectError(f"{path}: field {field} is missing")
    if not {"name", "shape", "range"} <= manifest.get("input", {}).keys() or "name" not in manifest.get("output", {}):
        raise SubjectError(f"{path}: input.name, input.shape, input.range and output.name are expected")
    return text


def _input_box(
    options: argparse.Namespace, manifest_path: Path, manifest_text: str | None, graph_input: onnx.ValueInfoProto
) -> tuple[list[int], list[float]]:
    """The shape and the range of an input: from the manifest, from the options, or (the shape) from
    the graph.
    """
    shape, bounds = options.shape, options.range
    if manifest_text is not None:
        table = tomllib.loads(manifest_text)["input"]
        for option, given, stated in (("--shape", shape, table["shape"]), ("--range", bounds, table["range"])):
            if given is not None and list(given) != list(stated):
                raise SubjectError(f"{option} is {given}, and the manifest {manifest_path} states {stated}")
        shape, bounds = table["shape"], table["range"]
    elif shape is None:
        axes = graph_input.type.tensor_type.shape.dim
        shape = [axis.dim_value for axis in axes][1:]
    if not shape or any(not isinstance(size, int) or size < 1 for size in shape):
        raise SubjectError("state --shape, for example --shape 3,32,32: the graph does not fix the shape of an input")
    if bounds is None:
        raise SubjectError(
            f"state --range LOW HIGH, the values that an input may have (for images usually --range 0 1): "
            f"there is no manifest {manifest_path}"
        )
    low, high = (float(value) for value in bounds)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SubjectError(f"the range is {list(bounds)}; two finite numbers are expected, the lower one first")
    return [int(size) for size in shape], [low, high]
