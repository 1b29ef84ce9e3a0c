"""The path of a leak, as it is shown in a diagnostic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from archspec.diagnostics import Span
from archspec.ir.graph import Value
from archspec.rules.leaked import LeakPath
from archspec.rules.wiring.grid import Index
from archspec.rules.wiring.path import PathStep


class Way:
    """Steps from an input to an output. Of each position only the coordinates that number positions are shown.

    Lines in another file than that of `home` are shown with the file's name.
    """

    def __init__(self, steps: Sequence[PathStep], output: Value, source: Value, home: Span | None = None) -> None:
        self.steps = tuple(reversed(steps))
        self._home = None if home is None else home.source
        self._sizes = {size for value in (output, source) for size in _positions(value)}

    def shown(self, value: Value, index: Index) -> str:
        """The coordinates of a position without those of features: `[0, 3]`."""
        return f"[{', '.join(map(str, self._place(value, index)))}]"

    @cached_property
    def culprit(self) -> PathStep | None:
        """The step that reads farthest ahead, the first of equals; the last step where none changes position."""
        moved = [step for step in self.steps if self._moves(step)]
        return max(moved, key=self._ahead) if moved else self.steps[-1] if self.steps else None

    def leak(self, source: str, output: str) -> LeakPath | None:
        """The path as data, under the names of its ends; None where no step is known."""
        if not self.steps:
            return None
        culprit = None if self.culprit is None else self.culprit.node
        nodes = tuple(step.node for step in self.steps)
        return LeakPath(source=source, output=output, nodes=nodes, culprit=culprit, lines=tuple(self.lines(source)))

    def lines(self, source: str) -> Iterator[str]:
        """The path, one line for each module; consecutive layers that only pass a position on share a line."""
        if not self.steps:
            return
        first = self.steps[0]
        yield f"path from `{source}` at {self.shown(first.operand, first.reads)}:"
        for names, step, moves in self._stretches():
            where = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
            at, reads = self.shown(step.node.outputs[0], step.at), self.shown(step.operand, step.reads)
            yield f"  {where}{self._line(step)}: {f'{at} reads {reads}' if moves else at}"

    def _line(self, step: PathStep) -> str:
        """The line of the spec that a step comes from, as `, line 12`."""
        span = step.node.span
        if span is None:
            return ""
        file = "" if self._home is None or span.source.name == self._home.name else f"{span.source.shown}, "
        return f", {file}line {span.line}"

    def _stretches(self) -> Iterator[tuple[list[str], PathStep, bool]]:
        """Steps with the modules that they represent, and whether they change position."""
        names: list[str] = []
        kept: PathStep | None = None
        for step in self.steps:
            moves, name = self._moves(step), _module(step)
            if kept is not None and (moves or not _alike(names[-1], name)):
                yield names, kept, False
                names, kept = [], None
            if moves:
                yield [step.path or name], step, True
            else:
                names, kept = ([*names, name] if name not in names else names), step
        if kept is not None:
            yield names, kept, False

    def _moves(self, step: PathStep) -> bool:
        """Whether a step reads another position than its own."""
        return self._place(step.node.outputs[0], step.at) != self._place(step.operand, step.reads)

    def _ahead(self, step: PathStep) -> int:
        """How far ahead a step reads, summed over the coordinates shown."""
        here, there = self._place(step.node.outputs[0], step.at), self._place(step.operand, step.reads)
        # Positions of other ranks cannot be compared: such a step counts as neutral.
        return sum(there) - sum(here) if len(here) == len(there) else 0

    def _place(self, value: Value, index: Index) -> tuple[int, ...]:
        """The coordinates of an index that number positions."""
        return tuple(
            k for k, size in zip(index, value.type.space, strict=True) if size.symbols() or size in self._sizes
        )


def _positions(value: Value) -> list[object]:
    """The sizes of the axes that number positions; the last axis of a float value counts as features."""
    sizes = list(value.type.space)
    return list(sizes[:-1] if value.type.dtype == "float" and value.type.rank < 4 else sizes)


def _module(step: PathStep) -> str:
    """The module of a step, up to the layer that contains it."""
    path = step.path.rpartition(".")[0] if step.node.name else step.path
    found = re.match(r"(.*?\.\d+)(\.|$)", path)
    return found.group(1) if found else path.partition(".")[0] or step.path or step.node.op.name


def _alike(left: str, right: str) -> bool:
    """Whether two modules are the same, or layers of one stack."""
    return left == right or ("." in left and left.rpartition(".")[0] == right.rpartition(".")[0])
