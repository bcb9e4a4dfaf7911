#!/usr/bin/env python3
"""Generates the messages of certimix.v1 and their types from proto/.

    python3 clients/python/scripts/generate_stubs.py [--into clients/python/src]

It needs grpcio-tools, which `make python-packages` puts under .runtime/python: set PYTHONPATH to that folder. A test
fails if the committed files differ from what this command writes.
"""

import argparse
import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[3]
PROTO = "certimix/v1/mixed_classifier.proto"


def generate(into: Path) -> None:
    """Writes the module of the messages and its types below `into`."""
    arguments = ["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={into}", f"--pyi_out={into}", PROTO]
    if protoc.main(arguments) != 0:
        sys.exit(f"protoc could not compile {PROTO}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "clients" / "python" / "src")
    generate(parser.parse_args().into)


if __name__ == "__main__":
    main()
