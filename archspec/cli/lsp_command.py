"""`archspec lsp`: the language server that editors start."""

from __future__ import annotations

from importlib.util import find_spec

import click

from archspec.diagnostics import fail


@click.command("lsp")
@click.option(
    "--stdio", is_flag=True, expose_value=False, help="Taken because many clients add it; there is no other way."
)
def command() -> None:
    """Serve an editor over standard input and output, by the Language Server Protocol.

    It shows diagnostics as one types, with types, costs and verdicts beside the text; docs/editors.md tells how editors
    start it. It needs the extra `lsp`.
    """
    if find_spec("pygls") is None:
        help = "pip install 'archspec-compiler[lsp]'"
        fail("E604", "the package pygls is not installed", None, help=help)
    from archspec.lsp.features import make_server

    make_server().start_io()
