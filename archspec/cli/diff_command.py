"""`archspec diff`: what changed in meaning."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from archspec.cli.completion import complete_specs
from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.diff import Changes, compare_meaning
from archspec.diff.forms import data_of, markdown_of, text_of
from archspec.diff.revision import Revised, at_revision, revised
from archspec.record import record
from archspec.spec import Spec, load


@click.command("diff")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete_specs)
@click.option(
    "--from", "revision", metavar="REV", help="Compare each SPEC, a file, with what it was at a git revision."
)
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a constant or a path in both.")
@click.option("--reduced", is_flag=True, help="Use the small copies that the specs declare for tests.")
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where something changed in meaning.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a review.")
@JSON
def command(
    specs: tuple[str, ...],
    revision: str | None,
    overrides: tuple[str, ...],
    reduced: bool,
    exit_code: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Say what changed in meaning from one spec to another: `archspec diff A B`.

    A and B are files, names of shipped specs, or `REV:FILE`, a file at a git revision with the files that it extends.
    Names, order, comments, and constants in place of their values change nothing. This does not load torch.
    """
    if markdown and as_json:
        raise click.UsageError("give `--markdown` or `--json`, not both")
    if revision is None and len(specs) != 2:
        raise click.UsageError("give two specs, or files and `--from REV`")
    options = _Options(overrides=overrides, reduced=reduced)
    found = [options.between(*specs)] if revision is None else list(options.since(revision, specs))
    if as_json:
        data = [one.data() if isinstance(one, _New) else data_of(one) for one in found]
        print_json(data[0] if len(data) == 1 else {"same": _is_same(found), "specs": data})
    elif markdown:
        click.echo("\n".join(one.markdown() if isinstance(one, _New) else markdown_of(one) for one in found), nl=False)
    else:
        click.echo("\n".join(str(one) if isinstance(one, _New) else text_of(one) for one in found))
    if exit_code and not _is_same(found):
        sys.exit(1)


@record
class _New:
    """A spec that the revision does not have."""

    name: str
    revision: str

    def __str__(self) -> str:
        return f"{self.name} is new since {self.revision}"

    def markdown(self) -> str:
        """The sentence as a section of a review."""
        return f"#### {self.name}: new\n"

    def data(self) -> dict[str, object]:
        """JSON-compatible data."""
        return {"before": None, "after": self.name, "same": False, "new": True}


def _is_same(found: Sequence[Changes | _New]) -> bool:
    return all(isinstance(one, Changes) and one.same for one in found)


@record
class _Options:
    overrides: tuple[str, ...]
    reduced: bool

    def between(self, before: str, after: str) -> Changes:
        """What changed between two specs; each is told as it was given."""
        return self._compared(self._load(before), self._load(after), before, after)

    def since(self, revision: str, files: Sequence[str]) -> Iterator[Changes | _New]:
        """What changed in each file since a revision."""
        for file in files:
            old = at_revision(file, revision)
            if not old.exists:
                load(file, reduced=self.reduced)
                yield _New(name=file, revision=revision)
                continue
            yield self._compared(self._at(old), self._load(file), str(old), file)

    @staticmethod
    def _compared(before: Spec, after: Spec, old: str, new: str) -> Changes:
        return replace(compare_meaning(before, after), before=old, after=new)

    def _load(self, name: str) -> Spec:
        old = revised(name)
        return load(name, set=self.overrides, reduced=self.reduced) if old is None else self._at(old)

    def _at(self, old: Revised) -> Spec:
        return old.load(set=self.overrides, reduced=self.reduced)
