"""`archspec diff`: what changed in meaning."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from archspec.cli.completion import complete_specs
from archspec.cli.options import JSON, SKIP_OTHERS, specs_among
from archspec.cli.output import print_json, report_errors
from archspec.diagnostics import SpecError
from archspec.diff import Changes, compare_meaning
from archspec.diff.forms import NOTHING, data_of, markdown_of, plain, text_of
from archspec.diff.revision import Revised, at_revision, revised
from archspec.record import record
from archspec.spec import Spec, load
from archspec.spec.files import OF_BUNDLE, is_folder, is_there

if TYPE_CHECKING:
    from archspec.bundle.manifest import Manifest


@click.command("diff")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete_specs)
@click.option(
    "--from", "revision", metavar="REV", help="Compare each SPEC, a file, with what it was at a git revision."
)
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a constant or a path in both.")
@click.option("--reduced", is_flag=True, help="Use the small copies that the specs declare for tests.")
@SKIP_OTHERS
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where something changed in meaning.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a review.")
@JSON
def command(
    specs: tuple[str, ...],
    revision: str | None,
    overrides: tuple[str, ...],
    reduced: bool,
    skip_others: bool,
    exit_code: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Say what changed in meaning from one spec to another: `archspec diff A B`.

    A and B are files, names of shipped specs, or `REV:FILE`, a file at a git revision with the files that it extends;
    or bundles, whose specs are compared, and of two of them also how weights are stored and what that costs.
    Names, order, comments, and constants in place of their values change nothing. This does not load torch.
    """
    if markdown and as_json:
        raise click.UsageError("give `--markdown` or `--json`, not both")
    if revision is None and len(specs) != 2:
        raise click.UsageError("give two specs, or files and `--from REV`")
    options = _Options(overrides=overrides, reduced=reduced)
    if revision is None:
        found: list[_Said] = [_Compared(options.between(*specs))]
    else:
        found = list(options.since(revision, specs_among(specs) if skip_others else specs, skip_others=skip_others))
    if as_json:
        data = [one.data() for one in found]
        alone = revision is None or len(specs) == 1
        print_json(data[0] if alone and data else {"same": all(one.same for one in found), "specs": data})
    else:
        _show(found, markdown=markdown)
    if any(one.fails for one in found) or (exit_code and not all(one.same for one in found)):
        sys.exit(1)


def _show(found: Sequence[_Said], *, markdown: bool) -> None:
    """Print what changed; of many specs only those where anything did, and how many others there are."""
    quiet = [one for one in found if one.is_quiet] if len(found) > 1 else []
    shown = [one for one in found if one not in quiet]
    parts = [one.markdown() if markdown else one.text() for one in shown]
    if quiet:
        told = f"{len(quiet)} {'specs' if len(quiet) > 1 else 'spec'}{' more' if shown else ''}: {NOTHING}"
        parts.append(f"{told}\n" if markdown else told)
    click.echo("\n".join(parts), nl=not markdown)


class _Said(Protocol):
    """What is said of one spec."""

    @property
    def same(self) -> bool:
        """Whether nothing changed in meaning."""
        ...

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to say, not even a new name."""
        ...

    @property
    def fails(self) -> bool:
        """Whether the spec has errors now."""
        ...

    def text(self) -> str: ...

    def markdown(self) -> str: ...

    def data(self) -> dict[str, object]: ...


@record(kw_only=False)
class _Compared:
    """Two specs that were compared."""

    changes: Changes
    fails = False

    @property
    def same(self) -> bool:
        """Whether nothing changed in meaning."""
        return self.changes.same

    @property
    def is_quiet(self) -> bool:
        """Whether not even a name changed."""
        return self.same and not self.changes.renamed

    def text(self) -> str:
        """Lines of text."""
        return text_of(self.changes)

    def markdown(self) -> str:
        """A section of a review."""
        return markdown_of(self.changes)

    def data(self) -> dict[str, object]:
        """JSON-compatible data."""
        return data_of(self.changes)


@record
class _Alone:
    """A spec of which there is only one side: `why` says so, and `key` is that in data."""

    name: str
    why: str
    key: str
    fails: bool = False
    same = False
    is_quiet = False

    def text(self) -> str:
        """A sentence."""
        return f"{self.name} {self.why}"

    def markdown(self) -> str:
        """The sentence as a section of a review."""
        return f"#### {plain(self.name)}: {plain(self.why)}\n"

    def data(self) -> dict[str, object]:
        """JSON-compatible data."""
        before, after = (self.name, None) if self.key == "gone" else (None, self.name)
        return {"before": before, "after": after, "same": False, self.key: True}


@record
class _Options:
    overrides: tuple[str, ...]
    reduced: bool

    def between(self, before: str, after: str) -> Changes:
        """What changed between two specs; each is told as it was given, a bundle as its spec."""
        (old, one), (new, other) = _opened(before), _opened(after)
        if (one is not None or other is not None) and (self.overrides or self.reduced):
            raise click.UsageError("a bundle has its own spec: --set and --reduced do not apply")
        found = self._compared(self._load(old), self._load(new), old, new)
        if one is None or other is None:
            return found
        from archspec.bundle.storage_changes import storage_changes

        return replace(found, changes=(*found.changes, *storage_changes(one, other)))

    def since(self, revision: str, files: Sequence[str], *, skip_others: bool) -> Iterator[_Said]:
        """What changed in each file since a revision; one with errors does not keep the others from being told."""
        for file in files:
            old = at_revision(file, revision)
            if is_there(Path(file)) or not old.exists:
                yield self._since(old, file)
            elif old.is_spec or not skip_others:
                yield _Alone(name=file, why=f"is gone since {old.short}", key="gone")

    def _since(self, old: Revised, file: str) -> _Said:
        new = _loaded(partial(self._load, file))
        if new is None:
            return _Alone(name=file, why="has errors", key="errors", fails=True)
        former = old if old.exists else old.former()
        if former is None:
            return _Alone(name=file, why=f"is new since {old.short}", key="new")
        before = _loaded(partial(self._at, former))
        if before is None:
            return _Alone(name=file, why=f"had errors at {old.short}", key="had_errors")
        return _Compared(self._compared(before, new, str(former), file))

    @staticmethod
    def _compared(before: Spec, after: Spec, old: str, new: str) -> Changes:
        return replace(compare_meaning(before, after), before=old, after=new)

    def _load(self, name: str) -> Spec:
        old = revised(name)
        return load(name, set=self.overrides, reduced=self.reduced) if old is None else self._at(old)

    def _at(self, old: Revised) -> Spec:
        return old.load(set=self.overrides, reduced=self.reduced)


def _opened(name: str) -> tuple[str, Manifest | None]:
    """What is loaded for a name, with the manifest if it is that of a bundle. Raises SpecError as `archspec.open` does.

    Of a bundle that is the spec in its folder.
    """
    if not is_folder(Path(name)):
        return name, None
    # Most specs are in no bundle.
    from archspec.bundle.read import is_bundle
    from archspec.bundle.read import open as open_bundle

    return (str(Path(name, OF_BUNDLE)), open_bundle(name).manifest) if is_bundle(name) else (name, None)


def _loaded(read: Callable[[], Spec]) -> Spec | None:
    """A spec; None after its errors are printed on standard error."""
    try:
        return read()
    except SpecError as error:
        report_errors(error.diagnostics, as_json=False)
        return None
