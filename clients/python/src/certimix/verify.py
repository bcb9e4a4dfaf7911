"""The command `python -m certimix.verify`. The function is `certimix.verify`.

    python -m certimix.verify FILE...          recomputes each record of `certimix predict --json`; - is stdin
    python -m certimix.verify --json FILE...   prints one JSON object a record

Exit codes: 0 if every record holds, 1 if one does not or is no record, 2 if none is wrong but one cannot be verified.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, List, Optional

from ._verdict import VerificationReport, Verdict
from ._verify import verify

__all__ = ["main", "verify"]

EXIT_CODES = {Verdict.HOLDS: 0, Verdict.DOES_NOT_HOLD: 1, Verdict.CANNOT_BE_VERIFIED: 2}
_WORDS = {Verdict.HOLDS: "ok", Verdict.DOES_NOT_HOLD: "DOES NOT HOLD", Verdict.CANNOT_BE_VERIFIED: "cannot be verified"}


def _lines(path: str) -> Iterator[str]:
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line.strip())


def _print(report: VerificationReport, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.to_dict()))
        return
    verdict = "holds" if report.verdict is Verdict.HOLDS else _WORDS[report.verdict]
    claims = " (claims no radius)" if report.claims_nothing else ""
    print(f"{report.file or 'record'}: {verdict}{claims}")
    for check in report.checks:
        detail = check.message or f"{check.served} (at hand: {check.expected})"
        if check.message or check.field in ("lower_bound", "upper_bound", "radius"):
            print(f"  {check.field}: {_WORDS[check.verdict]}: {detail}")


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command, and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m certimix.verify",
        description="Recompute served certificates from their own counts, in arithmetic of 60 digits.",
        epilog="exit codes: 0 every record holds; 1 one does not, or is no record; 2 one cannot be verified, or wrong usage",
    )
    parser.add_argument("file", nargs="+", help="output of `certimix predict --json` or `certimix certify --json`; - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object a record")
    options = parser.parse_args(arguments)
    verdicts = set()
    for path in options.file:
        try:
            for number, line in enumerate(_lines(path), 1):
                try:
                    values = json.loads(line)
                except ValueError as error:
                    raise ValueError(f"record {number} is not JSON: {error}") from error
                report = verify(values)
                verdicts.add(report.verdict)
                _print(report, options.json)
        except (OSError, ValueError, ImportError) as error:
            print(f"error: {path}: {error}", file=sys.stderr)
            verdicts.add(Verdict.DOES_NOT_HOLD)
    if not verdicts:
        print("error: the files contain no record", file=sys.stderr)
        return 1
    for verdict in (Verdict.DOES_NOT_HOLD, Verdict.CANNOT_BE_VERIFIED):
        if verdict in verdicts:
            return EXIT_CODES[verdict]
    return 0


class _CallableModule(ModuleType):
    """Python puts an imported module in place of the function of the same name, so the module must do what the function does."""

    def __call__(self, certificate: Any) -> VerificationReport:
        return verify(certificate)


if __name__ == "__main__":
    sys.exit(main())
else:
    sys.modules[__name__].__class__ = _CallableModule
