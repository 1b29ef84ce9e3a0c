"""`archspec page`: an editor with the checker beside it, as a folder of static files."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.analyses.memory import in_words
from archspec.cli.options import JSON
from archspec.cli.output import print_json


@click.command("page")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The folder to write, new, empty or a page."
)
@JSON
def command(output: Path, as_json: bool) -> None:
    """Write a page with an editor, and the checker beside it, that runs in the browser.

    Any host of static files can serve the folder; the page asks no other host for anything. What it is made of is
    fetched from the registries of npm and Python at pinned versions and kept in the cache folder, so that a second run
    fetches nothing. npm and Node.js are needed to make it, and nothing to open it.
    """
    from archspec.page.building import build

    sizes = build(output)
    if as_json:
        print_json({"written": str(output), "files": sizes})
    else:
        click.echo(f"wrote {output}: {len(sizes)} files, {in_words(sum(sizes.values()))}")
        click.echo(f"  python -m http.server --bind 127.0.0.1 --directory {output}    # or any host of static files")
