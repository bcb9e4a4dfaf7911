#!/usr/bin/env python3
"""Fetches ONNX Runtime's shared libraries from its PyPI wheel and checks their hashes.

    python3 scripts/fetch_onnxruntime.py                            # for the CPU, into .runtime/onnxruntime
    python3 scripts/fetch_onnxruntime.py --package onnxruntime-gpu  # with CUDA, into .runtime/onnxruntime-gpu

The licence, the notices of third parties and the metadata of the wheel come with the libraries: an image that holds the
libraries must hold the notices, and scanners of images find the package by its metadata.

The script fetches nothing if the libraries exist and have the expected hashes. pip downloads the wheel, because it knows
the package index and the proxy that the machine is configured for. Only the build needs Python; the server does not.
"""

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "1.31.1"
LIBRARY = "libonnxruntime.so"
CUDA_LIBRARY = "libonnxruntime_providers_cuda.so"
SHARED_LIBRARY = "libonnxruntime_providers_shared.so"
# file of the target folder: file of the wheel. {stem} is the wheel's name without its tags.
LIBRARIES = {
    LIBRARY: f"onnxruntime/capi/{LIBRARY}.{VERSION}",
    CUDA_LIBRARY: f"onnxruntime/capi/{CUDA_LIBRARY}",
    SHARED_LIBRARY: f"onnxruntime/capi/{SHARED_LIBRARY}",
}
DOCUMENTS = {
    "LICENSE": "onnxruntime/LICENSE",
    "ThirdPartyNotices.txt": "onnxruntime/ThirdPartyNotices.txt",
    "{stem}.dist-info/METADATA": "{stem}.dist-info/METADATA",
}


@dataclass(frozen=True)
class Wheel:
    """A wheel, and the libraries in it."""

    platform: str
    # SHA-256 of the wheel
    sha256: str
    # SHA-256 of each library that the server loads, by the name in the target folder
    libraries: dict[str, str]


# package: machine: wheel
WHEELS = {
    "onnxruntime": {
        "x86_64": Wheel(
            "manylinux_2_28_x86_64",
            "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
            {LIBRARY: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3"},
        ),
        "aarch64": Wheel(
            "manylinux_2_28_aarch64",
            "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
            {LIBRARY: "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467"},
        ),
    },
    # There is no wheel for aarch64.
    "onnxruntime-gpu": {
        "x86_64": Wheel(
            "manylinux_2_28_x86_64",
            "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
            {
                LIBRARY: "5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303",
                CUDA_LIBRARY: "d5290158115fa5569a3fe8f1f4037ee9b0e86658a96e52f852bbb7039aa88137",
                SHARED_LIBRARY: "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
            },
        ),
    },
}


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_complete(into: Path, wheel: Wheel) -> bool:
    """Whether the folder holds every library of the wheel."""
    return all((into / name).is_file() and sha256(into / name) == expected for name, expected in wheel.libraries.items())


def download(package: str, wheel: Wheel, folder: Path) -> Path:
    """Downloads the wheel with pip. The version of Python does not matter: only the C libraries in it are used."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{package}=={VERSION} --hash=sha256:{wheel.sha256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"),
        *("--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"),
        *("--platform", wheel.platform, "--dest", str(folder), "--requirement", str(requirement)),
    ]
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        sys.exit(f"pip could not fetch {package}=={VERSION}: check that pip is installed and that it reaches a package index")
    (path,) = folder.glob("*.whl")
    return path


def install(wheel: Wheel, path: Path, scratch: Path, into: Path) -> None:
    """Unpacks the libraries and the documents of the wheel, checks the libraries, and then moves all into place."""
    stem = "-".join(path.name.split("-")[:2])
    files = {name: LIBRARIES[name] for name in wheel.libraries}
    files |= {name.format(stem=stem): source.format(stem=stem) for name, source in DOCUMENTS.items()}
    fresh = scratch / "fresh"
    with zipfile.ZipFile(path) as archive:
        for name, source in files.items():
            unpacked = fresh / name
            unpacked.parent.mkdir(parents=True, exist_ok=True)
            unpacked.write_bytes(archive.read(source))
            unpacked.chmod(0o755 if name in wheel.libraries else 0o644)
    for name, expected in wheel.libraries.items():
        if sha256(fresh / name) != expected:
            sys.exit(f"{files[name]} does not have the expected hash: nothing was installed")
    # The library is last: it makes the folder complete.
    for name in sorted(files, key=lambda name: name == LIBRARY):
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, into / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", choices=WHEELS, default="onnxruntime", help="the wheel (default: onnxruntime)")
    parser.add_argument("--into", type=Path, help="the folder (default: .runtime/ and the name of the package)")
    arguments = parser.parse_args()
    package = arguments.package
    into = arguments.into or Path(__file__).parent.parent / ".runtime" / package
    wheel = WHEELS[package].get(platform.machine())
    if platform.system() != "Linux" or wheel is None:
        sys.exit(
            f"no {package} is pinned for {platform.system()} on {platform.machine()}: install the library and set"
            " runtime.library to its path"
        )
    if is_complete(into, wheel):
        return
    print(f"fetching {package} {VERSION}", flush=True)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        install(wheel, download(package, wheel, Path(scratch)), Path(scratch), into)
    print(f"{package} {VERSION} is in {into}", flush=True)


if __name__ == "__main__":
    main()
