"""Repeated layers: one node that owns a body for each kind of layer, and a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from archspec.ir.op import Op
from archspec.ir.types import TensorType
from archspec.record import record


@record
class Schedule:
    """Which body runs at which layer: `start`, then `repeat` taken `times` times, then `end` (numbers of bodies).

    Its size does not depend on the number of layers. Indexing raises IndexError for a layer that does not exist.
    """

    start: tuple[int, ...] = ()
    repeat: tuple[int, ...] = (0,)
    times: int = 0
    end: tuple[int, ...] = ()

    @classmethod
    def uniform(cls, layers: int) -> Schedule:
        """One body, run `layers` times."""
        return cls(repeat=(0,), times=layers)

    def __len__(self) -> int:
        return len(self.start) + len(self.repeat) * self.times + len(self.end)

    def __getitem__(self, layer: int) -> int:
        if not 0 <= layer < len(self):
            raise IndexError(layer)
        if layer < len(self.start):
            return self.start[layer]
        inner = layer - len(self.start)
        if inner < len(self.repeat) * self.times:
            return self.repeat[inner % len(self.repeat)]
        # Indexed arithmetically: the schedule is never written out.
        return self.end[inner - len(self.repeat) * self.times]

    def __iter__(self) -> Iterator[int]:
        return (self[layer] for layer in range(len(self)))

    def after(self, layer: int) -> Schedule:
        """The schedule of the layers that follow layer `layer`."""
        first, period, inner = layer + 1, len(self.repeat), layer + 1 - len(self.start)
        if inner < 0:
            return Schedule(start=self.start[first:], repeat=self.repeat, times=self.times, end=self.end)
        if inner >= period * self.times:
            return Schedule(repeat=self.repeat, end=self.end[inner - period * self.times :])
        # A period that has begun is finished as the new start, and one whole period fewer remains.
        done, begun = divmod(inner, period)
        start = self.repeat[begun:] if begun else ()
        return Schedule(start=start, repeat=self.repeat, times=self.times - done - bool(begun), end=self.end)

    def count(self, body: int) -> int:
        """How many layers run this body."""
        return self.start.count(body) + self.repeat.count(body) * self.times + self.end.count(body)

    def layers(self, body: int) -> list[int]:
        """The layers that run this body."""
        return [layer for layer, found in enumerate(self) if found == body]

    def first(self, body: int) -> int:
        """The first layer that runs this body: it holds the parameters where they are shared."""
        return next(layer for layer, found in enumerate(self) if found == body)


@record
class Tap:
    """An output of one layer that is used outside the stack: the layer, and the number of the output of its body."""

    layer: int
    output: int


@record
class Scan:
    """A value of which each layer of one body has its own part, stacked along axis 0 in the order of these layers.

    `operand` is the operand that is a stack, of which a layer's body takes its part; `output` the output of the body
    whose parts are stacked into an output of the node. Bodies of other kinds read nothing of the operand.
    """

    body: int
    operand: int | None = None
    output: int | None = None


@record
class Repeat(Op):
    """Run layers in turn: operand 0 is carried from each to the next, the other operands are captured by all.

    Every region has as many inputs as the node has operands; its output 0 is the carried value. The node outputs the
    last carried value, one value for each tap, and one for each of `scans` that has an output. `module` is the path of
    the list of layers (`states.layers`); `shared` says that the layers of one body use one set of parameters, held by
    the first of them.
    """

    name = "repeat"
    signature = "... -> ..."
    carried = 1
    sized = frozenset({"results"})

    module: str
    kinds: tuple[str, ...]
    schedule: Schedule
    results: tuple[TensorType, ...]
    # It decides which parameters a layer uses, not what it reads: relations do not depend on it.
    shared: bool = False
    taps: tuple[Tap, ...] = ()
    scans: tuple[Scan, ...] = ()

    @property
    def stacked(self) -> Mapping[int, int]:
        """The operands of which each layer of one body takes its own part, with the number of that body."""
        return {scan.operand: scan.body for scan in self.scans if scan.operand is not None}

    @property
    def stacks(self) -> list[Scan]:
        """The scans that give an output of the node, in the order of these."""
        return [scan for scan in self.scans if scan.output is not None]

    def holder(self, layer: int) -> int:
        """The number in the list of layers of the module that a layer runs."""
        return self.schedule.first(self.schedule[layer]) if self.shared else layer

    def holders(self, body: int) -> tuple[int, ...]:
        """The numbers in the list of layers of the modules of one body."""
        return (self.schedule.first(body),) if self.shared else tuple(self.schedule.layers(body))

    def of_operands(self, kept: Sequence[int]) -> Repeat:
        """The layers where only these operands are left."""
        left = [scan for scan in self.scans if scan.operand is None or scan.operand in kept or scan.output is not None]
        moved = {number: place for place, number in enumerate(kept)}
        return replace(self, scans=tuple(replace(scan, operand=moved.get(scan.operand or -1)) for scan in left))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The carried type, the types of the taps, and those of the stacks."""
        return self.results
