"""Edits a manifest line by line, so that its comments and its order stay.

A TOML library that keeps comments would do this too. `prove` needs numpy and onnx only, and here
each edit is checked: the edited text, read again, must say exactly what was to be said.
"""

import json
import os
import re
import tempfile
import tomllib
from pathlib import Path

VALUE = r"""(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|[^#\s"'\[{](?:[^#]*[^#\s])?)"""
HEADER = re.compile(r"^\s*\[")


class NotEditable(ValueError):
    """The manifest is written in a way that this module does not edit."""


def toml_value(value: str | float) -> str:
    """The value as TOML: a string, or a number that reads back as the same float."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def set_values(text: str, table: str | None, values: dict[str, str | float]) -> str:
    """The text with these values in `[table]`, or at the top level. A missing key, or a missing
    table, is added. Raises `NotEditable`.
    """
    before = tomllib.loads(text)
    lines = text.splitlines()
    start, end = _section(lines, table)
    if start is None:
        lines += ["", f"[{table}]"]
        start, end = len(lines), len(lines)
    added = []
    for key, value in values.items():
        pattern = re.compile(rf"^(?P<key>\s*{re.escape(key)}\s*=\s*){VALUE}(?P<rest>\s*(?:#.*)?)$")
        matches = [(number, match) for number in range(start, end) if (match := pattern.match(lines[number]))]
        if matches:
            number, match = matches[0]
            lines[number] = match["key"] + toml_value(value) + match["rest"]
        else:
            added.append(f"{key} = {toml_value(value)}")
    last = max((number for number in range(start, end) if lines[number].strip()), default=start - 1)
    lines[last + 1 : last + 1] = added
    edited = "\n".join(lines) + "\n"
    expected = {**before, **values} if table is None else {**before, table: {**before.get(table, {}), **values}}
    try:
        agrees = tomllib.loads(edited) == expected
    except tomllib.TOMLDecodeError:
        agrees = False
    if not agrees:
        where = "the top level" if table is None else f"the table [{table}]"
        raise NotEditable(f"{where} is not written as one `key = value` a line; edit it by hand")
    return edited


def remove_value(text: str, table: str, key: str) -> str:
    """The text without this key of `[table]`. Raises `NotEditable`."""
    expected = tomllib.loads(text)
    if expected.get(table, {}).pop(key, None) is None:
        return text
    lines = text.splitlines()
    start, end = _section(lines, table)
    pattern = re.compile(rf"^\s*{re.escape(key)}\s*=\s*{VALUE}\s*(?:#.*)?$")
    kept = [line for number, line in enumerate(lines) if not (start or 0) <= number < end or not pattern.match(line)]
    edited = "\n".join(kept) + "\n"
    if tomllib.loads(edited) != expected:
        raise NotEditable(f"the key {key} of [{table}] is not written on one line; edit it by hand")
    return edited


def _section(lines: list[str], table: str | None) -> tuple[int | None, int]:
    """The lines of the table, without its header."""
    headers = [number for number, line in enumerate(lines) if HEADER.match(line)]
    if table is None:
        return 0, headers[0] if headers else len(lines)
    wanted = re.compile(rf"^\s*\[\s*{re.escape(table)}\s*\]\s*(?:#.*)?$")
    for number in headers:
        if wanted.match(lines[number]):
            return number + 1, next((other for other in headers if other > number), len(lines))
    return None, len(lines)


def write_file(path: Path, text: str) -> None:
    """Replaces the file at once: a server that watches it never reads half of it."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
