"""`archspec list`: the shipped specs, or the model types that can be imported."""

from __future__ import annotations

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.spec.shipped import shipped_specs_dir


@click.command("list")
@click.option("--types", is_flag=True, help="List the model types that archspec import knows, instead.")
@JSON
def command(types: bool, as_json: bool) -> None:
    """List the shipped specs with their descriptions."""
    found = _model_types() if types else _specs()
    if as_json:
        print_json(found)
        return
    width = max(map(len, found), default=0)
    for name, about in found.items():
        click.echo(f"{name:<{width}}  {about}")


def _specs() -> dict[str, str]:
    """The shipped specs by name, with their descriptions."""
    from archspec.spec import describe

    return {path.stem: describe(path) for path in sorted(shipped_specs_dir().glob("*.yaml"))}


def _model_types() -> dict[str, str]:
    """The model types of Hugging Face as configurations spell them, with their descriptions."""
    from archspec.interop.huggingface.model_type import MODEL_TYPES

    return {kind.spelled or word: kind.about for word, kind in MODEL_TYPES.items()}
