"""`archspec cache`: the artifacts of earlier builds that later builds reuse."""

from __future__ import annotations

import click

from archspec.analyses.memory import in_words
from archspec.cli.options import JSON
from archspec.cli.output import print_json

_DAY = 24 * 3600
_UNITS = ((_DAY, "day"), (3600, "hour"), (60, "minute"))


@click.command("cache")
@click.option("--clear", "clearing", is_flag=True, help="Remove the cached artifacts.")
@click.option(
    "--older",
    type=float,
    default=0.0,
    metavar="DAYS",
    help="With --clear: remove only artifacts not used for this long.",
)
@JSON
def command(clearing: bool, older: float, as_json: bool) -> None:
    """List the cached artifacts of earlier builds with their sizes and times of last use, or remove them."""
    from archspec.engines.cache import clear, entries, home

    if older and not clearing:
        raise click.UsageError("`--older` requires `--clear`")
    if clearing:
        count, size = clear(older * _DAY)
        if as_json:
            print_json({"folder": home(), "removed": count, "bytes": size})
        else:
            click.echo(f"removed {_counted(count)}, {in_words(size)}, from {home()}")
        return
    kept = list(entries())
    if as_json:
        rows = [{"key": one.key, "name": one.name, "target": one.target, "dtype": one.dtype} for one in kept]
        sizes = [{"bytes": one.bytes, "seconds_since_use": round(one.age)} for one in kept]
        print_json({"folder": home(), "artifacts": [row | size for row, size in zip(rows, sizes, strict=True)]})
        return
    click.echo(f"{_counted(len(kept))}, {in_words(sum(one.bytes for one in kept))}, in {home()}")
    for one in kept:
        click.echo(f"  {one.name} {one.target} {one.dtype}, {in_words(one.bytes)}, used {ago(one.age)}")


def ago(seconds: float) -> str:
    """A time span as text, such as `2 hours ago`, rounded down to the largest of its units."""
    for length, unit in _UNITS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _counted(count: int) -> str:
    return "1 artifact" if count == 1 else f"{count} artifacts"
