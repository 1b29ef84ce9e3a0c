"""`archspec view`: a spec in the browser, checked by the running Python."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path

import click

from archspec.cli.completion import complete_specs
from archspec.diagnostics import SpecError, fail
from archspec.spec.files import STDIN, locate


@click.command("view")
@click.argument("spec", metavar="SPEC", shell_complete=complete_specs)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port (default: a free one).")
@click.option("--open/--no-open", "opens", default=True, help="Open the address in the browser of this machine.")
def command(spec: str, port: int, opens: bool) -> None:
    """Show SPEC in the browser, with verdicts, pictures and costs, and follow its file until Ctrl-C.

    The page is served on 127.0.0.1 alone, under an address with a key. Edits on it are checked, and never written to
    the file.
    """
    path = locate(spec)
    if str(path) == STDIN:
        raise click.UsageError("a page follows a file: give the path of one")
    if not path.is_file():
        fail("E208", f"cannot read {path}: no such file", None)
    from archspec.page.building import lay_site
    from archspec.page.serving import Server

    with tempfile.TemporaryDirectory(prefix="archspec-view-") as name:
        lay_site(Path(name), "server", _editor())
        try:
            server = Server(path.resolve(), Path(name), port)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise click.BadParameter(f"{port} cannot be used: {reason}", param_hint="--port") from None
        with server:
            click.echo(f"{spec} at {server.address} until Ctrl-C")
            if opens and _has_screen():
                webbrowser.open(server.address)
            server.serve_forever()


def _has_screen() -> bool:
    """Whether a browser has a window: one in the terminal would wait for a page that is not served yet."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _editor() -> Mapping[str, Path]:
    """The packages of the editor; none, with a note, where they cannot be fetched: it is then a plain field."""
    from archspec.page.components import editor_components, fetched

    try:
        return fetched(editor_components())
    except SpecError as error:
        found = error.diagnostics[0]
        click.echo(f"note: a plain field in place of the editor: {found.message}", err=True)
        return {}
