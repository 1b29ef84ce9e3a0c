"""Bind each line of a map to our tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

from archspec.diagnostics import Collector, Label, nearest
from archspec.layouts.layout import Layout
from archspec.layouts.line import MapLine
from archspec.layouts.names import NamePattern
from archspec.layouts.numbering import renumbered
from archspec.layouts.operations import Shape
from archspec.layouts.report import and_more, shaped
from archspec.record import record


@record
class Binding:
    """Tensors of ours that one line produces together: one, or the parts of a `split`.

    `theirs` are patterns of the names they are made from, without groups; `indices` (numbered as in the checkpoint) and
    `rest`, the name inside the module that the line maps, fill the patterns.
    """

    line: MapLine
    ours: tuple[str, ...]
    theirs: tuple[NamePattern, ...]
    indices: tuple[int, ...]
    rest: str

    def names(self) -> tuple[str, ...]:
        """Return their names without prefix; only valid if no extra `*` is left to stack."""
        return tuple(pattern.filled(self.indices, self.rest) for pattern in self.theirs)

    def indexed(self, count: int) -> tuple[tuple[str, ...], ...]:
        """Return their names without prefix: for each pattern, those of indices 0 to `count` - 1 of the extra `*`."""
        return tuple(
            tuple(pattern.filled((*self.indices, index), self.rest) for index in range(count))
            for pattern in self.theirs
        )


def bind(layout: Layout, ours: Mapping[str, Shape], found: Collector) -> list[Binding]:
    """Find which of our tensors every line of a layout produces; `ours` are shapes by name.

    Errors are added to `found`: E512 for a line that names no tensor, E515 for tensors that no line names, E516 for one
    that two lines name, E511 for an `index` without a valid value.
    """
    bindings = []
    lines: dict[str, MapLine] = {}
    for line in layout.lines:
        fits: list[Binding] = []
        for binding in _bindings(line, ours, found):
            fresh = [_claim(name, line, lines, found) for name in binding.ours]
            if all(fresh):
                fits.append(binding)
        # One `catching` around all bindings: an `index` without a value is reported for the first layer only.
        with found.catching():
            bindings += [replace(fit, indices=renumbered(fit.indices, line.numberings)) for fit in fits]
    unnamed = [name for name in ours if name not in lines]
    if unnamed:
        first = shaped(unnamed[0], ours)
        help = "add a line for each, or for the module that holds them"
        _error(found, "E515", f"no line of layout `{layout.name}` names {first}{and_more(unnamed)}", layout, help)
    return bindings


def _error(found: Collector, code: str, message: str, layout: Layout, help: str) -> None:
    found.error(code, message, layout.span, help=help)


def _claim(name: str, line: MapLine, lines: dict[str, MapLine], found: Collector) -> bool:
    """Whether this line is the first to name a tensor; otherwise an E516 is added."""
    first = lines.setdefault(name, line)
    if first is line:
        return True
    places = [Label(first.span, "first here")]
    found.error("E516", f"duplicate name `{name}`", line.span, secondary=places, help="keep one of the two lines")
    return False


def _bindings(line: MapLine, ours: Mapping[str, Shape], found: Collector) -> Iterator[Binding]:
    """Yield the bindings of one line.

    There is one for each choice of texts from the paired groups, and each index or rest found among our names.
    """
    parts = range(len(line.ours.groups[line.pairing.parts])) if line.pairing.parts is not None else [None]
    paired = [place for place in range(len(line.ours.groups)) if place != line.pairing.parts]
    for choice in product(*(range(len(line.ours.groups[place])) for place in paired)):
        chosen = dict(zip(paired, choice, strict=True))
        patterns = [
            line.ours.chosen(chosen if part is None else {**chosen, line.pairing.parts or 0: part}) for part in parts
        ]
        hits = [_hits(pattern, ours) for pattern in patterns]
        theirs = _theirs(line, choice)
        # A split needs all of its parts; `_report_absent` reports the indices that lack one.
        for key in dict.fromkeys(key for hit in hits for key in hit):
            if all(key in hit for hit in hits):
                names = tuple(hit[key] for hit in hits)
                yield Binding(line=line, ours=names, theirs=theirs, indices=key[0], rest=key[1])
        _report_absent(line, patterns, hits, ours, found)


def _hits(pattern: NamePattern, ours: Mapping[str, Shape]) -> dict[tuple[tuple[int, ...], str], str]:
    """Map what fills a pattern, indices and rest, to each of our names that it matches."""
    return {hit: name for name, hit in pattern.matches(ours).items()}


def _theirs(line: MapLine, choice: tuple[int, ...]) -> tuple[NamePattern, ...]:
    """Return their patterns with the chosen texts of the paired groups.

    A group that `concat` or `stack` joins yields one pattern for each of its texts.
    """
    joined = line.pairing.joined
    chosen: list[NamePattern] = []
    for pattern in line.theirs:
        places = [place for place in range(len(pattern.groups)) if place != joined]
        texts = dict(zip(places, choice, strict=True))
        if joined is None:
            chosen.append(pattern.chosen(texts))
        else:
            chosen.extend(pattern.chosen({**texts, joined: text}) for text in range(len(pattern.groups[joined])))
    return tuple(chosen)


def _report_absent(
    line: MapLine,
    patterns: list[NamePattern],
    hits: list[dict[tuple[tuple[int, ...], str], str]],
    ours: Mapping[str, Shape],
    found: Collector,
) -> None:
    """Add E512 for names that a line means and the module lacks.

    If some pattern of a group matches, only the indices at which another one fails are reported.
    """
    everywhere = {key for hit in hits for key in hit}
    for pattern, hit in zip(patterns, hits, strict=True):
        absent = [pattern.filled(*key) for key in everywhere if key not in hit] if everywhere else [str(pattern)]
        if absent:
            close = nearest(absent[0], ours)
            help = f"did you mean `{close}`?" if close else None
            found.error("E512", f"no parameter is named `{absent[0]}`{and_more(absent)}", line.span, help=help)
