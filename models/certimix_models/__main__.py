"""Runs the command line: `python3 -m certimix_models`."""

from certimix_models.cli import main

if __name__ == "__main__":
    main()
