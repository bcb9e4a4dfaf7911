"""Numpy arrays as tensors of the wire."""

from __future__ import annotations

import math
from typing import Optional

import numpy
from numpy.typing import ArrayLike

from certimix import _errors
from certimix.v1 import mixed_classifier_pb2 as pb

_MAX_DEADLINE = 86_400.0


def tensor(values: ArrayLike, *, batch: bool) -> pb.Tensor:
    """The tensor of one input, or of a batch of inputs of shape [N, ...].

    Only uint8 and float32 are accepted. A certificate is about exactly the input that the server received, so the client
    does not round a float64 array without the caller's knowledge.
    """
    field = "inputs" if batch else "input"
    if isinstance(values, numpy.ma.MaskedArray):
        raise _errors.invalid(field, "expected an array without a mask")
    array = numpy.asarray(values)
    if array.dtype == numpy.uint8:
        kind = pb.DATA_TYPE_UINT8
    elif array.dtype.kind == "f" and array.dtype.itemsize == 4:
        kind = pb.DATA_TYPE_FLOAT32
        array = array.astype("<f4", copy=False)
    else:
        raise _errors.invalid(
            field,
            f"expected an array of uint8 or float32, found {array.dtype}: convert it with .astype(numpy.float32) "
            "and keep the converted array, because the certificate is about its values",
        )
    if batch and array.ndim == 0:
        raise _errors.invalid(field, "expected an array [N, ...] of N inputs, found a single number")
    shape = array.shape if batch else (1, *array.shape)
    return pb.Tensor(dtype=kind, shape=shape, data=array.tobytes())


def checked_deadline(deadline: Optional[float], default: float) -> float:
    """The deadline of a call in seconds: positive and at most a day."""
    value = default if deadline is None else float(deadline)
    if not (math.isfinite(value) and 0 < value <= _MAX_DEADLINE):
        raise _errors.invalid("deadline", f"expected more than 0 and at most {_MAX_DEADLINE:.0f} seconds, found {deadline}")
    return value
