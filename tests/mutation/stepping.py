"""The step graph of a spec, with a mistake or without, as steps that the contract judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from archspec.contract.sequences import Decoded
from archspec.contract.stepped import EXACT, Stepped, decoded, stepped
from archspec.ir.graph import Graph, Node, Value
from archspec.model.runner import Array, Arrays
from archspec.oracle.interpreter import Interpretation, interpret
from archspec.oracle.sizes import sizes_of
from archspec.record import record
from archspec.spec import Spec, load
from archspec.spec.claims import claims_of
from tests.mutation.cached import Mistake, mistakes
from tests.mutation.judging import SAME, Court, Outcome, Parameters


class Mistaken(Interpretation):
    """An interpretation in which one node computes with other operands."""

    mistake: Mistake | None = None

    def node(self, node: Node, known: Mapping[Value, Array], layers: tuple[int, ...]) -> list[Array]:
        """The outputs of one node."""
        wrong = self.mistake
        if wrong is None or node is not wrong.node or (wrong.layer is not None and wrong.layer not in self.at):
            return super().node(node, known, layers)
        operands = wrong.change([known[value] for value in node.inputs], known)
        return super().node(node, {**known, **dict(zip(node.inputs, operands, strict=True))}, layers)


@record(eq=False)
class GraphSteps:
    """Runs a step graph by the interpreter."""

    known: Decoded
    parameters: Parameters
    mistake: Mistake | None = None

    def start(self, rows: int, capacity: int, given: Arrays) -> dict[str, Array]:
        """Empty buffers, counts of 0, and what is made once."""
        found, sizes = self.known.found, self._sizes(rows, capacity)
        kept = [one for one in found.state if one.update is not None]
        empty = {one.name: np.zeros([size.value(sizes) for size in one.type.shape]) for one in kept}
        return {**given, **empty, **self._once(given), "past": np.zeros(rows, dtype=np.int64)}

    def step(self, state: dict[str, Array], fed: Arrays, counts: Array) -> tuple[Array, dict[str, Array]]:
        """The output at each row's last own new position."""
        found, everything = self.known.found, {**state, **fed, "count": counts}
        sizes = self._sizes(len(counts), self._capacity(state))
        results = self._run(found.step, everything, sizes)
        output = results[self.known.decode.output]
        changed = {one.name: results[one.update] for one in found.state if one.update is not None}
        return output[np.arange(len(counts)), counts - 1], {**state, **changed, "past": state["past"] + counts}

    def restart(self, state: dict[str, Array], rows: Sequence[int], given: Arrays) -> dict[str, Array]:
        """Counts of 0 for some rows, and what is made once from the inputs of now."""
        past = state["past"].copy()
        past[list(rows)] = 0
        return {**state, **given, **self._once(given), "past": past}

    def _once(self, given: Arrays) -> dict[str, Array]:
        once = self.known.found.once
        return {} if once is None else self._run(once, given, {})

    def _run(self, graph: Graph, arrays: Arrays, sizes: Mapping[str, int]) -> dict[str, Array]:
        inputs = {value.name: arrays[value.name] for value in graph.inputs}
        run = Mistaken(self.parameters, {**sizes_of(graph, inputs), **sizes})
        run.mistake = self.mistake
        arguments = [one.astype(np.float64) if one.dtype.kind == "f" else one for one in inputs.values()]
        return dict(zip(graph.output_names, run.graph(graph, arguments, ()), strict=True))

    def _sizes(self, rows: int, capacity: int) -> dict[str, int]:
        symbols = self.known.found.rows.symbols()
        return {self.known.length.name: capacity, **{symbol.name: rows for symbol in symbols}}

    def _capacity(self, state: Arrays) -> int:
        whole = [one for one in self.known.found.state if one.kind == "whole"]
        return state[whole[0].name].shape[whole[0].axis or 0] if whole else self.known.length.max


class Remembered:
    """The interpreter's full forward, each run made once: it is the same beside every mistake."""

    def __init__(self, spec: Spec, parameters: Parameters) -> None:
        self.spec, self.parameters = spec, parameters
        self._made: dict[tuple[tuple[str, bytes], ...], dict[str, Array]] = {}

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """The outputs by name."""
        key = tuple((f"{name} {array.shape}", array.tobytes()) for name, array in sorted(arrays.items()))
        if key not in self._made:
            self._made[key] = interpret(self.spec.graph, arrays, self.parameters)
        return self._made[key]


class StepCourt:
    """Judges the mistakes of caches of one spec."""

    def __init__(self, name: str) -> None:
        self.spec = load(name, reduced=True)
        made = decoded(claims_of(self.spec))
        assert made is not None
        self.known = made

    @cached_property
    def fulls(self) -> tuple[Remembered, ...]:
        """The full forward with parameters as the contract draws them, the large ones first; and further ones."""
        court = Court(self.spec)
        return tuple(Remembered(self.spec, drawn) for drawn in (*court.drawn[::-1], *court.more[:2]))

    def mistakes(self) -> Iterator[Mistake]:
        """Every mistake at every place."""
        return mistakes(self.known.found)

    def outcome(self, mistake: Mistake | None) -> Outcome:
        """What the contract says of a step with a mistake; of none, what it says of the step as it is."""
        farthest = 0.0
        for number, full in enumerate(self.fulls):
            steps = GraphSteps(known=self.known, parameters=full.parameters, mistake=mistake)
            with np.errstate(all="ignore"):
                found = stepped(self.known, [Stepped(steps=steps, full=full, tolerance=EXACT)], number)
            if found.status == "violated":
                return Outcome(status="caught", judge="contract", detail=found.detail)
            farthest = max(farthest, found.largest)
        if farthest <= SAME:
            return Outcome(status="equivalent", judge="contract", detail="computes the same at every step")
        return Outcome(status="missed", judge="contract", detail=f"differs by {farthest:.2g}")
