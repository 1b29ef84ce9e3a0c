"""Their side of a layout: which tensor of a checkpoint each line takes, and what is left over."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property

from archspec.diagnostics import Collector, Diagnostic, Label, nearest
from archspec.layouts.bind import Binding, bind
from archspec.layouts.layout import Layout, spread
from archspec.layouts.line import MapLine
from archspec.layouts.names import NamePattern, Star, regex_of
from archspec.layouts.operations import Operation, Shape
from archspec.layouts.rename import renamed
from archspec.layouts.report import also, and_more, shaped
from archspec.layouts.their_names import check_ties
from archspec.layouts.tie import Tie, TiedNames
from archspec.record import record


@record
class MatchStep:
    """Tensors of theirs that become tensors of ours. `theirs` are names in the file, in rows."""

    ours: tuple[str, ...]
    theirs: tuple[tuple[str, ...], ...]
    line: MapLine | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the file, row by row."""
        return tuple(name for row in self.theirs for name in row)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What is done on the way."""
        return self.line.operations if self.line else ()


@record
class Equal:
    """Two names in the file that must hold the same tensor; `taken` is the one that is read, `tie` says why."""

    taken: str
    other: str
    tie: Tie


@record
class Match:
    """How a layout meets a checkpoint: what each line takes, and everything that does not match by name.

    `layout` is None for our own names. `equal` are the pairs of names in the file that `tied` says are one tensor,
    `skipped` the names that `skip` covers. `misses` counts the names that are missing or left over, and every other
    finding once.
    """

    layout: Layout | None = None
    steps: tuple[MatchStep, ...]
    equal: tuple[Equal, ...] = ()
    skipped: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...]
    misses: int = 0


@record
class Checkpoint:
    """Names of a checkpoint as a layout sees them: renamed, and looked for with each prefix in turn."""

    actual: Mapping[str, str]
    prefixes: Sequence[str]
    tied: TiedNames = field(default=TiedNames())

    def find(self, name: str) -> str | None:
        """The name in the file, None where it is there with no prefix."""
        return next((self.actual[p + name] for p in self.prefixes if p + name in self.actual), None)

    @cached_property
    def _prefix(self) -> str:
        return f"(?:{'|'.join(map(re.escape, self.prefixes))})"

    def of_tied(self, name: str) -> list[tuple[str, Tie | None]]:
        """The names in the file that stand for a name: itself first, then those that `tied` says equal it."""
        names: dict[str, Tie | None] = {name: None, **self.tied.of(name)}
        found = ((self.find(one), tie) for one, tie in names.items())
        return [(actual, tie) for actual, tie in found if actual is not None]

    def count(self, binding: Binding) -> int:
        """How many indices of an extra `*` are there: up to the largest, at least one."""
        largest = 0
        for pattern in binding.theirs:
            pieces = list(pattern.pieces)
            for index in binding.indices:
                pieces[pieces.index(Star.STAR)] = str(index)
            rest = re.escape(f".{binding.rest}" if binding.rest else "")
            regex = re.compile(self._prefix + regex_of(pieces) + rest)
            found = (regex.fullmatch(name) for name in self.actual)
            largest = max([largest, *(int(one.group(1)) for one in found if one)])
        return largest + 1


def checkpoint_of(theirs: Iterable[str], layout: Layout, found: Collector) -> Checkpoint:
    """The names of a checkpoint as a layout sees them; E519 goes to `found`."""
    actual = renamed(theirs, layout.renames, found, layout.wrappers)
    return Checkpoint(actual=actual, prefixes=layout.prefixes, tied=layout.tied)


def match(layout: Layout, ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> Match:
    """Match a layout's lines with the names of both sides.

    Every tensor must be used once or be in `skip`: E513 for one that is missing, E514 for one left over, E516 for one
    used twice, E518 for one that is both used and skipped; and what `bind` finds on our side.
    """
    found = Collector()
    bindings = bind(layout, ours, found)
    check_ties(layout.tied, bindings, found)
    checkpoint = checkpoint_of(theirs, layout, found)
    matcher = _Matcher(layout, ours, theirs, checkpoint, found)
    steps = [step for binding in bindings if (step := matcher.take(binding)) is not None]
    matcher.finish()
    others = sum(one.code not in ("E513", "E514") for one in found.diagnostics)
    return Match(
        layout=layout,
        steps=tuple(steps),
        equal=tuple(matcher.equal),
        skipped=tuple(matcher.skipped),
        diagnostics=found.diagnostics,
        misses=matcher.misses + others,
    )


class _Matcher:
    """Takes tensors of theirs line by line and keeps account of them."""

    def __init__(
        self,
        layout: Layout,
        ours: Mapping[str, Shape],
        theirs: Mapping[str, Shape],
        checkpoint: Checkpoint,
        found: Collector,
    ) -> None:
        self.layout = layout
        self.ours = ours
        self.theirs = theirs
        self.checkpoint = checkpoint
        self.found = found
        self.used: dict[str, MapLine] = {}
        self.missing: dict[MapLine, list[tuple[str, str]]] = defaultdict(list)
        self.equal: list[Equal] = []
        self.skipped: dict[str, None] = {}
        self.misses = 0

    def take(self, binding: Binding) -> MatchStep | None:
        """The step of one binding, None where a tensor is missing."""
        line = binding.line
        if line.pairing.indexed:
            names = binding.indexed(self.checkpoint.count(binding))
        else:
            names = tuple((name,) for name in binding.names())
        rows = tuple(tuple(self._one(name, binding) for name in row) for row in names)
        whole = tuple(tuple(name for name in row if name is not None) for row in rows)
        return MatchStep(ours=binding.ours, theirs=whole, line=line) if all(map(all, rows)) else None

    def _one(self, name: str, binding: Binding) -> str | None:
        """The name in the file that a name of the map means, None where it is missing."""
        there = self.checkpoint.of_tied(name)
        if not there:
            self.missing[binding.line].append((name, binding.ours[0]))
            return None
        (taken, _), *others = there
        self._use(taken, binding.line)
        for other, tie in others:
            self._use(other, binding.line)
            if tie is not None:
                self.equal.append(Equal(taken=taken, other=other, tie=tie))
        return taken

    def _use(self, name: str, line: MapLine) -> None:
        if name in self.used:
            places = [Label(self.used[name].place, "first here")]
            message = f"{shaped(name, self.theirs)} is used twice"
            self.found.error("E516", message, line.place, secondary=places, help="tied parameters must be mapped once")
        self.used[name] = line

    def finish(self) -> None:
        """Report what is missing, left over, or both used and skipped."""
        left = [name for name in self.checkpoint.actual.values() if name not in self.used]
        self._report_missing(left)
        self._skip()
        self._report_unexpected([name for name in left if name not in self.skipped])

    def _report_missing(self, left: Sequence[str]) -> None:
        for line, pairs in self.missing.items():
            names = [name for name, _ in pairs]
            self.misses += len(names)
            close = nearest(names[0], left)
            tied = [f"`{other}`, which is tied to it, is missing too" for other in self.layout.tied.of(names[0])]
            self.found.error(
                "E513",
                f"`{names[0]}`{and_more(names)} missing in the weights",
                line.place,
                f"for {shaped(pairs[0][1], self.ours)}",
                notes=[*also(names), *tied],
                help=f"the closest name is {shaped(close, self.theirs)}" if close else None,
            )

    def _skip(self) -> None:
        """Note the names in the file that `skip` covers; an error for each pattern that names what the map uses."""
        for pattern in self.layout.skip:
            for name, inside in self._covered(pattern):
                if name not in self.used:
                    self.skipped[name] = None
                elif not inside:
                    places = [Label(self.used[name].place, "used here")]
                    message = f"`skip` covers {shaped(name, self.theirs)}, which the map uses"
                    help = "remove it from `skip` or from the map"
                    self.found.error("E518", message, pattern.span, secondary=places, help=help)

    def _covered(self, pattern: NamePattern) -> Iterator[tuple[str, bool]]:
        """Names in the file that a pattern of `skip` means, and whether each is inside a module that it names."""
        for one in spread(pattern):
            seen: set[tuple[tuple[int, ...], str]] = set()
            for prefix in self.checkpoint.prefixes:
                matched = [
                    (hit, actual)
                    for name, actual in self.checkpoint.actual.items()
                    if name.startswith(prefix) and (hit := one.match(name[len(prefix) :])) and hit not in seen
                ]
                for hit, actual in matched:
                    seen.add(hit)
                    yield actual, bool(hit[1])

    def _report_unexpected(self, names: Sequence[str]) -> None:
        for alike in _alike(names):
            self.misses += len(alike)
            message = f"unexpected {shaped(alike[0], self.theirs)}{and_more(alike)} in the weights"
            help = "map it, or name it in `skip` if the architecture does not need it"
            self.found.error("E514", message, self.layout.span, notes=also(alike), help=help)


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Names in groups: those that differ only in their numbers together."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[re.sub(r"\d+", "*", name)].append(name)
    return list(groups.values())
