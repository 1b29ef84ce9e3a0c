"""Match the lines of a layout with the tensor names of a checkpoint, and report names that are left over."""

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
    """Tensors of a checkpoint that become tensors of ours along one line.

    `theirs` are names in the file, in rows: a row for each of their names in the line, holding the tensors of its extra
    `*`.
    """

    ours: tuple[str, ...]
    theirs: tuple[tuple[str, ...], ...]
    line: MapLine | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the file, row by row."""
        return tuple(name for row in self.theirs for name in row)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations of the line, from theirs to ours; none without a line."""
        return self.line.operations if self.line else ()


@record
class Equal:
    """Two names in the file that must hold the same tensor; `taken` is the one that is read, `tie` says why."""

    taken: str
    other: str
    tie: Tie


@record
class Match:
    """The result of matching a layout with a checkpoint, errors included.

    `layout` is None for our own names. `steps` are the complete ones, `equal` the pairs of names in the file that
    `tied` says are one tensor, `skipped` the names that `skip` covers. `misses` counts each missing or unexpected name,
    and each other error once.
    """

    layout: Layout | None = None
    steps: tuple[MatchStep, ...]
    equal: tuple[Equal, ...] = ()
    skipped: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...]
    misses: int = 0


@record
class Checkpoint:
    """Names of a checkpoint as a layout sees them.

    `actual` maps a name after `rename` to the name in the file; `prefixes` are tried in order.
    """

    actual: Mapping[str, str]
    prefixes: Sequence[str]
    tied: TiedNames = field(default=TiedNames())

    def find(self, name: str) -> str | None:
        """Return the name in the file for a name of the map, None if it is there with no prefix."""
        return next((self.actual[p + name] for p in self.prefixes if p + name in self.actual), None)

    @cached_property
    def _prefix(self) -> str:
        """A regular expression for any of the prefixes."""
        return f"(?:{'|'.join(map(re.escape, self.prefixes))})"

    def of_tied(self, name: str) -> list[tuple[str, Tie | None]]:
        """Return the names in the file for a name: itself first, then those that `tied` declares equal.

        Each comes with the tie that it follows from, None for the name itself.
        """
        names: dict[str, Tie | None] = {name: None, **self.tied.of(name)}
        found = ((self.find(one), tie) for one, tie in names.items())
        return [(actual, tie) for actual, tie in found if actual is not None]

    def count(self, binding: Binding) -> int:
        """Return how many indices an extra `*` has: the largest found plus one, at least one.

        Gaps are counted too, so that a tensor missing in between is reported as missing.
        """
        largest = 0
        for pattern in binding.theirs:
            pieces = list(pattern.pieces)
            # Our indices fill the `*` from the left, and the one that remains is the extra one.
            for index in binding.indices:
                pieces[pieces.index(Star.STAR)] = str(index)
            rest = re.escape(f".{binding.rest}" if binding.rest else "")
            regex = re.compile(self._prefix + regex_of(pieces) + rest)
            found = (regex.fullmatch(name) for name in self.actual)
            largest = max([largest, *(int(one.group(1)) for one in found if one)])
        return largest + 1


def checkpoint_of(theirs: Iterable[str], layout: Layout, found: Collector) -> Checkpoint:
    """Return the names of a checkpoint as a layout sees them; errors E519 are added to `found`."""
    actual = renamed(theirs, layout.renames, found, layout.wrappers)
    return Checkpoint(actual=actual, prefixes=layout.prefixes, tied=layout.tied)


def match(layout: Layout, ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> Match:
    """Match a layout's lines with the names of both sides; `ours` and `theirs` are shapes by name.

    Returns a Match with all diagnostics; nothing is raised for names that do not match. E513 is for a missing tensor,
    E514 for one that is neither used nor in `skip`, E516 for one used twice, E518 for one that is both used and
    skipped, E519 for names that become the same by `rename`; `bind` and `check_ties` add E512, E515, E516 and E525.
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
    """Collects which tensors of a checkpoint the lines use, skip or miss."""

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
        """Return the step of one binding, None if one of its tensors is missing."""
        line = binding.line
        if line.pairing.indexed:
            names = binding.indexed(self.checkpoint.count(binding))
        else:
            names = tuple((name,) for name in binding.names())
        rows = tuple(tuple(self._one(name, binding) for name in row) for row in names)
        whole = tuple(tuple(name for name in row if name is not None) for row in rows)
        return MatchStep(ours=binding.ours, theirs=whole, line=line) if all(map(all, rows)) else None

    def _one(self, name: str, binding: Binding) -> str | None:
        """Return the name in the file for a name of the map, None if it is missing; tied names count as used."""
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
        """Note that a line uses a name in the file; E516 if one did before."""
        if name in self.used:
            places = [Label(self.used[name].place, "first here")]
            message = f"{shaped(name, self.theirs)} is used twice"
            self.found.error("E516", message, line.place, secondary=places, help="tied parameters must be mapped once")
        self.used[name] = line

    def finish(self) -> None:
        """Report tensors that are missing, unexpected, or both used and skipped."""
        left = [name for name in self.checkpoint.actual.values() if name not in self.used]
        self._report_missing(left)
        self._skip()
        self._report_unexpected([name for name in left if name not in self.skipped])

    def _report_missing(self, left: Sequence[str]) -> None:
        """Report one E513 for each line with missing tensors."""
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
        """Collect the names that `skip` covers; E518 for a pattern that names a tensor used by the map."""
        for pattern in self.layout.skip:
            for name, inside in self._covered(pattern):
                if name not in self.used:
                    self.skipped[name] = None
                # A skipped module may contain tensors that the map uses; naming such a tensor itself is a
                # contradiction.
                elif not inside:
                    places = [Label(self.used[name].place, "used here")]
                    message = f"`skip` covers {shaped(name, self.theirs)}, which the map uses"
                    help = "remove it from `skip` or from the map"
                    self.found.error("E518", message, pattern.span, secondary=places, help=help)

    def _covered(self, pattern: NamePattern) -> Iterator[tuple[str, bool]]:
        """Yield the names in the file that a pattern of `skip` covers, and whether each is inside a named module."""
        for one in spread(pattern):
            # A name means the first prefix under which it exists, here as in `find`.
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
        """Report one E514 for each group of unexpected names that differ only in numbers."""
        for alike in _alike(names):
            self.misses += len(alike)
            message = f"unexpected {shaped(alike[0], self.theirs)}{and_more(alike)} in the weights"
            help = "map it, or name it in `skip` if the architecture does not need it"
            self.found.error("E514", message, self.layout.span, notes=also(alike), help=help)


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Group names that differ only in their numbers."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[re.sub(r"\d+", "*", name)].append(name)
    return list(groups.values())
