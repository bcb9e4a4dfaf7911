"""How a check ends if it does not pass."""

# The exit code of a check that cannot run, as in automake.
MISSING = 77


class CheckFailed(Exception):
    """A check found something that is wrong, or cannot go on. The text says what, and where."""


def report_missing(missing: list[str]) -> int:
    """Prints the tools that are missing, and returns the exit code that says so."""
    print("\n".join(f"missing: {each}" for each in missing))
    return MISSING
