"""Packages that only some users need."""

from __future__ import annotations

import importlib
from typing import Any


def require(package: str, extra: str) -> Any:
    """Imports a package of an optional extra.

    Raises ImportError with the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        message = f'the package {package} is not installed: run pip install "certimix[{extra}]"'
        raise ImportError(message) from error
