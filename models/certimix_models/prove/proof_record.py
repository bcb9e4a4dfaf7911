"""The record of a proof: what was proved of one ONNX file, signed, for the server to read beside it.

A JSON object of a statement, which is a JSON text by itself, and an Ed25519 signature over its bytes: so no two programs need agree
on how JSON is written. The server believes a statement by a key of its `certificate.proof_keys` about just the file it serves.
"""

import json
import os
from pathlib import Path

from .walk import Proof

CHECKER = "models/evaluate/lipschitz_bound.py"


def path_of(model: Path) -> Path:
    return model.with_suffix(".proof.json")


def statement(manifest: dict, proof: Proof) -> dict:
    return {
        "version": 1,
        "checker": CHECKER,
        "model_sha256": manifest["sha256"],
        "guarantee": "lipschitz_logits",
        "norm": "l2",
        "constant": proof.lipschitz,
        "logit_error_bound": proof.error,
        "input_shape": manifest["input"]["shape"],
        "input_range": manifest["input"]["range"],
        "output": manifest["output"]["name"],
        "classes": proof.classes,
    }


def _key(seed: bytes):
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as missing:
        raise SystemExit("to sign needs the package `cryptography`: pip install -r models/evaluate/requirements.txt") from missing
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(key) -> str:
    return key.public_key().public_bytes_raw().hex()


def new_key(path: Path) -> str:
    """Writes a new key, readable by its owner alone, where there is no file yet; returns its public half."""
    seed = os.urandom(32)
    public = _public(_key(seed))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(seed.hex() + "\n")
    return public


def sign(about: dict, key_file: Path) -> dict:
    key = _key(bytes.fromhex(key_file.read_text().strip()))
    text = json.dumps(about)
    return {"statement": text, "public_key": _public(key), "signature": key.sign(text.encode()).hex()}


def too_much(recorded: dict, about: dict) -> list[str]:
    """Every field of a record in which it says more than, or other than, what is proved now. Another machine's float64 may round otherwise."""
    slack = 1 + 1e-9
    wrong = [key for key in about if key not in ("constant", "logit_error_bound") and recorded.get(key) != about[key]]
    return wrong + [key for key in ("constant", "logit_error_bound") if not recorded.get(key, 0) * slack >= about[key]]
