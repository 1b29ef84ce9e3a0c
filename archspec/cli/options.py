"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from archspec.cli.completion import complete_specs

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")

SPEC = click.argument("spec", metavar="SPEC", shell_complete=complete_specs)
SKIP_OTHERS = click.option(
    "--skip-others", is_flag=True, help="Skip YAML files that are no specs: those without the key `archspec`."
)
UNPROVED = click.option(
    "--unproved",
    is_flag=True,
    help="Continue although a rule is violated or not proved, a promise is broken or a count differs.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


OF_BUNDLE = "a bundle has its own spec and weights: --set, --reduced, --weights, --weights-layout do not apply"

# The largest signed 64-bit integer, which torch and NumPy both accept.
_LARGEST_SEED = 2**63 - 1


def by_name(option: str, pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What a repeated option gives, by name. Raises click.BadParameter for a name that is given twice."""
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise click.BadParameter(f"`{name}` is given twice", param_hint=option)
        found[name] = value
    return found


def seed_option(help: str) -> Callable[[Command], Command]:
    """The option `--seed`, 0 by default, with the given help text."""
    kind = click.IntRange(0, _LARGEST_SEED)
    return click.option("--seed", type=kind, default=0, show_default=True, metavar="NUMBER", help=help)


def spec_options(command: Command) -> Command:
    """Add the argument SPEC (a file, the name of a shipped spec, or `-`) and `--set`, `--reduced` and `--json`."""
    for decorate in (
        JSON,
        click.option("--reduced", is_flag=True, help="Use the small copy that the spec declares for tests."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="NAME=VALUE",
            help="Override a constant, or any value by its path: graph.states.layers=2.",
        ),
        SPEC,
    ):
        # Decorators add parameters from the last to the first, so SPEC comes first in the help.
        command = decorate(command)
    return command


def specs_among(names: Iterable[str]) -> list[str]:
    """The names without those of YAML files that are no specs: files that have no key `archspec` at their top."""
    # Most commands never ask.
    from archspec.spec.files import is_file
    from archspec.text.sections import names_section

    def is_spec(name: str) -> bool:
        return names_section(Path(name).read_bytes().decode("utf-8", "replace"), "archspec")

    return [name for name in names if not is_file(Path(name)) or is_spec(name)]
