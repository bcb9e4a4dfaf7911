"""A subcommand of the command line, declared apart from the module that runs it.

The declaration imports no package, so that `--help` works without any. The module is imported
when the command runs, so that each command needs only the packages that it uses.
"""

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One subcommand: its help, its options and its module."""

    name: str
    summary: str  # one line for the list of subcommands
    description: str  # the text of `--help`
    module: str  # its function `run` takes the parsed options
    add_arguments: Callable[[argparse.ArgumentParser], None]

    def add_to(self, subcommands) -> None:
        """Adds the command to what `ArgumentParser.add_subparsers` returned."""
        parser = subcommands.add_parser(
            self.name,
            help=self.summary,
            description=self.description.strip("\n"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_arguments(parser)
        parser.set_defaults(command=self, usage_error=parser.error)

    def run(self, options: argparse.Namespace) -> None:
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("certimix_models"):
                raise
            sys.exit(
                f"{self.name} needs the Python package `{error.name}`; "
                "models/README.md lists the packages of each command"
            )
        module.run(options)


@dataclass(frozen=True)
class CommandGroup:
    """A subcommand that has subcommands of its own."""

    name: str
    summary: str
    description: str
    commands: list[Command]

    def add_to(self, subcommands) -> None:
        """Adds the group to what `ArgumentParser.add_subparsers` returned."""
        parser = subcommands.add_parser(
            self.name,
            help=self.summary,
            description=self.description.strip("\n"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        choices = parser.add_subparsers(metavar="COMMAND", required=True)
        for command in self.commands:
            command.add_to(choices)
