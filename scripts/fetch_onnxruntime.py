#!/usr/bin/env python3
"""Fetches ONNX Runtime's shared library from its PyPI wheel and checks its hash.

    python3 scripts/fetch_onnxruntime.py [--into .runtime/onnxruntime]

The script fetches nothing if the library exists and has the expected hash. Only the build needs Python; the server
does not.
"""

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.31.1"
LIBRARY = f"onnxruntime/capi/libonnxruntime.so.{VERSION}"
# machine: (wheel platform, SHA-256 of the wheel, SHA-256 of the library in it)
WHEELS = {
    "x86_64": (
        "manylinux_2_28_x86_64",
        "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
        "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    ),
    "aarch64": (
        "manylinux_2_28_aarch64",
        "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
        "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    ),
}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(
            file.read()
        ).hexdigest()


def download(wheel_platform: str, expected: str, folder: Path) -> Path:
    """Downloads the wheel with pip. The version of Python does not matter: only the C library in the wheel is used."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"onnxruntime=={VERSION} --hash=sha256:{expected}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"),
        *("--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"),
        *("--platform", wheel_platform, "--dest", str(folder), "--requirement", str(requirement)),
    ]
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        sys.exit(f"pip could not fetch onnxruntime=={VERSION}: check that pip is installed and that it reaches a package index")
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent.parent / ".runtime" / "onnxruntime")
    into = parser.parse_args().into
    if platform.system() != "Linux" or platform.machine() not in WHEELS:
        sys.exit(
            f"no ONNX Runtime is pinned for {platform.system()} on {platform.machine()}: install the library and set"
            " runtime.library to its path"
        )
    wheel_platform, wheel_hash, library_hash = WHEELS[platform.machine()]
    target = into / "libonnxruntime.so"
    if target.is_file() and sha256(target) == library_hash:
        return
    print(f"fetching ONNX Runtime {VERSION}", flush=True)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        wheel = download(wheel_platform, wheel_hash, Path(scratch))
        unpacked = Path(scratch) / target.name
        with zipfile.ZipFile(wheel) as archive:
            unpacked.write_bytes(archive.read(LIBRARY))
        if sha256(unpacked) != library_hash:
            sys.exit(f"{LIBRARY} does not have the expected hash: nothing was installed")
        unpacked.chmod(0o755)
        os.replace(unpacked, target)
    print(f"ONNX Runtime {VERSION} is in {target}", flush=True)


if __name__ == "__main__":
    main()
