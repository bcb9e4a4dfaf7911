"""The record of a proof: what was proved about one ONNX file, signed, for the server to read beside
it.

The record is a JSON object with a statement, which is itself a JSON text, and an Ed25519 signature
of its bytes. So no two programs need to agree on how to format JSON. The server accepts a statement
that a key of its `certificate.proof_keys` has signed about exactly the file that it serves.
"""

import json
import os
from pathlib import Path

from certimix_models.prove.network_proof import Proof

# Signed records name the checker so. Another name would invalidate every record that exists.
CHECKER_ID = "models/evaluate/lipschitz_bound.py"


def record_path(model: Path) -> Path:
    """The path of the record that belongs to an ONNX file."""
    return model.with_suffix(".proof.json")


def proof_statement(manifest: dict, proof: Proof) -> dict:
    """The statement to sign: the proved numbers and what they are about."""
    return {
        "version": 1,
        "checker": CHECKER_ID,
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


def _private_key(seed: bytes):
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as missing:
        raise SystemExit("signing needs the Python package `cryptography`: pip install -e 'models[sign]'") from missing
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public_key_hex(key) -> str:
    return key.public_key().public_bytes_raw().hex()


def create_key(path: Path) -> str:
    """Writes a new key, readable by its owner alone, to a file that must not exist. Returns its
    public half in hex.
    """
    seed = os.urandom(32)
    public_key = _public_key_hex(_private_key(seed))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(seed.hex() + "\n")
    return public_key


def sign_statement(statement: dict, key_file: Path) -> dict:
    """The record: the statement as text, with its signature."""
    key = _private_key(bytes.fromhex(key_file.read_text().strip()))
    text = json.dumps(statement)
    return {"statement": text, "public_key": _public_key_hex(key), "signature": key.sign(text.encode()).hex()}


def has_valid_signature(record: dict) -> bool:
    """Whether the record's own key signed its statement. False also if `cryptography` is absent."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(record["public_key"]))
        key.verify(bytes.fromhex(record["signature"]), record["statement"].encode())
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True


def other_subject_fields(recorded: dict, statement: dict) -> list[str]:
    """The fields, other than the two numbers, in which a record differs: it is about another model,
    input or output.
    """
    return [
        key for key in statement if key not in ("constant", "logit_error_bound") and recorded.get(key) != statement[key]
    ]


def overstated_fields(recorded: dict, statement: dict) -> list[str]:
    """The fields of a record that claim more than, or something other than, what is proved now. A
    relative slack of 1e-9 covers the float64 rounding of another machine.
    """
    slack = 1 + 1e-9
    return other_subject_fields(recorded, statement) + [
        key for key in ("constant", "logit_error_bound") if not recorded.get(key, 0) * slack >= statement[key]
    ]
