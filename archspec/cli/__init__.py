"""The command line. Each command is a module `NAME_command`, imported only when it is called."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn, TextIO

import click

from archspec.diagnostics import SpecError, SpecWarning

COMMANDS = (
    "attend",
    "build",
    "cache",
    "check",
    "compare",
    "compile",
    "diff",
    "explain",
    "export",
    "generate",
    "import",
    "init",
    "list",
    "lsp",
    "page",
    "parallel",
    "report",
    "run",
    "schema",
    "show",
    "verify",
    "view",
    "weights",
)

INTERRUPTED = 128 + signal.SIGINT
"""The exit status after Ctrl-C, by the convention of shells."""
# Not every system has all of these codes.
_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EFBIG", "EDQUOT", "EIO")} - {None}


class _Commands(click.Group):
    """A click group that imports a command when it is requested."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of `--help`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        # Imported here, so that a command does not wait for the imports of all others.
        command: click.Command = import_module(f"archspec.cli.{cmd_name}_command").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does, but suggest similar names for an unknown one."""
        if args and args[0] not in COMMANDS:
            from archspec.diagnostics import did_you_mean

            hint = did_you_mean(args[0], COMMANDS, kind="commands")
            ctx.fail(f"there is no command {args[0]!r}; {hint}" if hint else f"there is no command {args[0]!r}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C prints `interrupted` and exits with `INTERRUPTED` instead of click's own status."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="archspec-compiler", prog_name="archspec")
def cli() -> None:
    """Compile a YAML description of a neural architecture into a checked, tested, deployable model."""


def main() -> None:
    """Run the command line and exit with its status.

    The status is 0 if everything holds, 1 if the spec or artifact has errors, 2 for wrong usage, and 130 after Ctrl-C.
    """
    # A short run creates little garbage, and frequent collections take a tenth of the time of a check.
    gc.set_threshold(100_000)
    # If Ctrl-C still has its default action of ending the process, make it raise KeyboardInterrupt from here on.
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.showwarning = _show_warning
    try:
        cli(prog_name="archspec")
    except SpecError as error:
        from archspec.cli.output import report_errors

        # Parsing may have ended before this option, so the words themselves are looked at.
        report_errors(error.diagnostics, as_json="--json" in sys.argv)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _end_full(error)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning: that of a spec is rendered as a diagnostic already, others are formatted as Python does."""
    text = str(message)
    if not isinstance(message, SpecWarning):
        text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)


def _end_full(error: OSError) -> NoReturn:
    """Report in one line that the output could not be written, such as to a full disk, and exit with status 1."""
    from archspec.diagnostics import Diagnostic, render

    message = f"cannot write the output: {(error.strerror or str(error)).lower()}"
    sys.stderr.write(render(Diagnostic(code="E702", message=message)))
    # Otherwise the interpreter would try to flush the buffered output again at exit, and report another error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
