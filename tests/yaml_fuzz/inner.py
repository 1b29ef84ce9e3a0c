"""Inner values as what is changed: the interpreter runs on with another value in the place of one that it computes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archspec.diagnostics import Source
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.model.exposing import exposed
from archspec.oracle.interpreter import Interpretation
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.yaml_fuzz.draft import Draft, Made

Held = tuple[Value, tuple[int, ...]]
"""A value of a region, and the numbers of the layers that it stands in."""
_STACK = re.compile(r"\{block: (?:transformer|encoder|decoder), .*layers: ([23])\b")


def inner_values(draft: Draft) -> list[Made]:
    """Values that a rule may name and that are no inputs: layers of stacks, and nodes that others read."""
    found = [v for v in draft.values if v.name in draft.nodes and v.name in draft.used and v.dtype == "float"]
    for value in draft.values:
        text = draft.nodes.get(value.name, "")
        layers = _STACK.match(text)
        if layers and "share: true" not in text and "repeat: " not in text:
            found += [Made(f"{value.name}.layers.{k}", value.axes, block="layer") for k in range(int(layers[1]) - 1)]
    return found


class Inner:
    """The graph of a file in which some inner values are known by their paths."""

    def __init__(self, draft: Draft, outputs: tuple[str, ...]) -> None:
        self.draft, self.outputs = draft, outputs
        self.values = {value.name: value for value in inner_values(draft)}

    @cached_property
    def spec(self) -> Spec:
        paths = [name for name in self.values if "." in name]
        return exposed(elaborate(read(Source("fuzzed.yaml", self.draft.text())), path=Path("fuzzed.yaml")), paths)

    def held(self, path: str) -> Held:
        """Where a value is computed."""
        graph, known = self.spec.graph, self.spec.values
        if path in known:
            return located(known[path])
        names = [name for name in graph.output_names if name.replace(".", "_") == path.replace(".", "_")]
        return located(graph.outputs[graph.output_names.index(names[0])])

    def run(
        self,
        inputs: Mapping[str, NDArray],
        parameters: Mapping[str, NDArray],
        sizes: Mapping[str, int],
        held: Held,
        other: NDArray | None = None,
    ) -> tuple[dict[str, NDArray], NDArray]:
        """The outputs, and the value that is held, with another in its place where one is given."""
        run = _Holding(parameters, sizes, held, other)
        graph = self.spec.graph
        results = run.graph(graph, [np.asarray(inputs[value.name]) for value in graph.inputs], ())
        named = dict(zip(graph.output_names, results, strict=True))
        assert run.seen is not None
        return {name: named[name] for name in self.outputs}, run.seen


class _Holding(Interpretation):
    def __init__(
        self, parameters: Mapping[str, NDArray], sizes: Mapping[str, int], held: Held, other: NDArray | None
    ) -> None:
        super().__init__(parameters, sizes)
        self.held, self.other = held, other
        self.seen: NDArray | None = None

    def made(self, node: Node, results: list[NDArray]) -> list[NDArray]:
        value, layers = self.held
        if layers != self.at or value not in node.outputs:
            return results
        k = node.outputs.index(value)
        self.seen = results[k]
        return [self.other if j == k and self.other is not None else one for j, one in enumerate(results)]


def located(value: Value, layers: tuple[int, ...] = ()) -> Held:
    """The innermost value that this one is, and the layers that it stands in."""
    node = value.producer
    if node is not None and isinstance(node.op, Call):
        return located(_result(node.regions[0], value.index), layers)
    if node is not None and isinstance(node.op, Repeat) and value.index:
        tap = node.op.taps[value.index - 1]
        return located(_result(node.regions[node.op.schedule[tap.layer]], tap.output), (*layers, tap.layer))
    return value, layers


def _result(region: Graph, index: int) -> Value:
    return region.outputs[index]
