"""Groups of ops that run on parts: each grows from one op until everything that it touches fits.

A label is the placement of a wire; `Copied` stands for a whole value, whatever its gradient is. A group closes where
whole values enter it and where its results are whole again: sums joined, or parts gathered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archspec.analyses.sharding.ways import PartWay, uneven
from archspec.analyses.sharding.wiring import Link, WiredGraph
from archspec.ir.placement import Copied, Partial, Placement, Shard
from archspec.ir.types import TensorType
from archspec.record import record

WHOLE_LABEL = Copied()
_MOST_STEPS = 4000


@record(eq=False)
class Labels:
    """What is decided: the labels of wires, and the ways of ops by their number; all else is whole."""

    wires: Mapping[int, Placement] = field(default_factory=dict)
    ways: Mapping[int, PartWay] = field(default_factory=dict)


@record
class Budget:
    """What a group may do besides joining sums: gather parts, and cut values that have a gradient."""

    gathers: bool = False
    cuts: bool = False


class Stuck(Exception):
    """A group that does not close; `op` is the number of the op that cannot follow, None for a hook."""

    def __init__(self, op: int | None, size: int) -> None:
        super().__init__()
        self.op, self.size = op, size


@dataclass
class Growth:
    """Grows groups over one wiring.

    `ways` are the possible ways of every op over `ranks` ranks, and `trained` the wires of which a cut would cost a
    gather in the backward pass. `experts` are the modules of experts that may be whole on ranks: what such a module is
    given may be cut, since the weights of experts are few, and its terms are joined with others that they are added to.
    """

    wiring: WiredGraph
    ways: Mapping[int, tuple[PartWay, ...]]
    trained: frozenset[int]
    ranks: int
    experts: frozenset[str] = frozenset()
    budget: Budget = field(default_factory=Budget)
    steps: int = 0
    stuck: Stuck | None = None

    def __post_init__(self) -> None:
        self.ops_at: dict[int, list[int]] = {}
        for number, wired in enumerate(self.wiring.ops):
            for wire in wired.wires:
                self.ops_at.setdefault(wire, []).append(number)
        self.links_at: dict[int, list[Link]] = {}
        for link in self.wiring.links:
            for wire in {link.source, link.target}:
                self.links_at.setdefault(wire, []).append(link)
        self.types_at: dict[int, set[TensorType]] = {}
        for wire, type_ in self.wiring.types():
            self.types_at.setdefault(wire, set()).add(type_)

    def grow(self, before: Labels, seed: int, way: PartWay, budget: Budget) -> Labels | None:
        """What is decided with an op run in one way, on top of `before`; None if its group does not close.

        `stuck` then tells where the largest group that was tried ended.
        """
        self.budget, self.steps, self.stuck = budget, 0, None
        state = _State(self, dict(before.wires), dict(before.ways), set(), set())
        found = self.closed(state) if state.choose(seed, way) else None
        return None if found is None else Labels(wires=found.wires, ways=found.chosen)

    def closed(self, state: _State) -> _State | None:
        """The state with all that it touches decided; None if there is no such decision."""
        while True:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                return None
            options = state.next()
            if options is None:
                return state
            if not options:
                return None
            if len(options) == 1:
                if not options[0](state):
                    return None
                continue
            for option in options:
                tried = state.copy()
                if option(tried) and (found := self.closed(tried)) is not None:
                    return found
            return None

    def divides(self, wire: int, label: Placement) -> bool:
        """Whether ranks can hold parts of all values of a wire, whatever factors these keep."""
        return not isinstance(label, Shard) or all(
            uneven(type_, label, self.ranks) is None for type_ in self.types_at.get(wire, ())
        )

    def fail(self, op: int | None, size: int) -> None:
        """Remember where a group ended, if it was the largest yet."""
        if self.stuck is None or size > self.stuck.size:
            self.stuck = Stuck(op, size)


@record(kw_only=False)
class _Choose:
    """Run an op in one way."""

    op: int
    way: PartWay

    def __call__(self, state: _State) -> bool:
        return state.choose(self.op, self.way)


@record(kw_only=False)
class _Label:
    """Give a wire a label."""

    wire: int
    label: Placement

    def __call__(self, state: _State) -> bool:
        return state.label(self.wire, self.label)


_Option = _Choose | _Label


@dataclass
class _State:
    """One branch of the search: labels, chosen ways, and the ops and links that are still to be looked at."""

    growth: Growth
    wires: dict[int, Placement]
    chosen: dict[int, PartWay]
    ops: set[int]
    links: set[Link]

    def copy(self) -> _State:
        """An own copy."""
        return _State(self.growth, dict(self.wires), dict(self.chosen), set(self.ops), set(self.links))

    def choose(self, op: int, way: PartWay) -> bool:
        """Run an op in one way; false if a wire has another label."""
        self.chosen[op] = way
        self.ops.discard(op)
        if all(self.label(wire, label) for wire, label in way.labels.items()):
            return True
        self.growth.fail(op, len(self.chosen))
        return False

    def label(self, wire: int, label: Placement) -> bool:
        """Give a wire a label; false if it has another one."""
        known = self.wires.get(wire)
        if known is None and wire in self.growth.wiring.fixed:
            known = WHOLE_LABEL
        if (known is not None and known != label) or not self.growth.divides(wire, label):
            return False
        if known is None or wire not in self.wires:
            self.wires[wire] = label
            self.links.update(self.growth.links_at.get(wire, ()))
            self.ops.update(n for n in self.growth.ops_at.get(wire, ()) if n not in self.chosen)
        return True

    def next(self) -> list[_Option] | None:
        """The options of the op or link with the fewest; None where nothing is left to decide."""
        best: list[_Option] | None = None
        for options in self.undecided():
            if best is None or len(options) < len(best):
                best = options
            if len(best) <= 1:
                break
        return best

    def undecided(self) -> Iterator[list[_Option]]:
        """The options of everything that is touched and not decided."""
        for link in sorted(self.links, key=lambda link: (link.source, link.target)):
            options = self.of_link(link)
            if options is None:
                self.links.discard(link)
            else:
                yield options
        for op in sorted(self.ops):
            wires = self.growth.wiring.ops[op].wires
            # An op that stands at whole values alone runs whole.
            if all(self.wires.get(wire, WHOLE_LABEL) == WHOLE_LABEL for wire in wires):
                self.ops.discard(op)
            else:
                options = [_Choose(op, way) for way in self.growth.ways[op] if self.fits(way)]
                if not options:
                    self.growth.fail(op, len(self.chosen))
                yield list(options)

    def fits(self, way: PartWay) -> bool:
        """Whether no wire has another label than in a way."""
        fixed = self.growth.wiring.fixed
        return all(
            self.wires.get(wire, WHOLE_LABEL if wire in fixed else label) == label for wire, label in way.labels.items()
        )

    def of_link(self, link: Link) -> list[_Option] | None:
        """The options at a link; None where nothing is to be decided."""
        source, target = self.wires.get(link.source), self.wires.get(link.target)
        if target is None and link.target in self.growth.wiring.fixed:
            target = WHOLE_LABEL
        if source is None and link.source in self.growth.wiring.fixed:
            source = WHOLE_LABEL
        if source is not None and target is not None:
            if self.allowed(link, source, target):
                return None
            self.growth.fail(None, len(self.chosen))
            return []
        if source is None and target is None:
            return None
        known = source or target
        if known == WHOLE_LABEL:
            return None
        assert known is not None
        other = link.target if source is not None else link.source
        pair = (known, WHOLE_LABEL) if source is not None else (WHOLE_LABEL, known)
        options: list[_Option] = [_Label(other, known)]
        if self.allowed(link, *pair):
            # Terms are joined at the first hook, since few ops can follow; parts are kept as long as they can be.
            is_first = isinstance(known, Partial) and link.at.module not in self.growth.experts
            options.insert(0 if is_first else 1, _Label(other, WHOLE_LABEL))
        return options

    def allowed(self, link: Link, source: Placement, target: Placement) -> bool:
        """Whether a hook may convert in this way."""
        if source == target:
            return True
        if target == WHOLE_LABEL:
            gathers = self.growth.budget.gathers or link.target in self.growth.wiring.outputs
            return isinstance(source, Partial) or gathers
        is_costly = link.source in self.growth.trained and link.at.module not in self.growth.experts
        cuts = self.growth.budget.cuts or not is_costly
        return isinstance(target, Shard) and source == WHOLE_LABEL and cuts
