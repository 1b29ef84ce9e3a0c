"""Dependence by boolean matrices at chosen sizes and values of the controls, node by node and layer by layer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive, Reads
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType, TensorType
from archspec.relation.erase import erase
from archspec.relation.evaluate import matrix

Matrix = NDArray[np.bool_]
Array = NDArray[np.int64]


def coordinates(type_: TensorType, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(factor.value(sizes) for axis in type_.axes for factor in axis.factors)


def random_inputs(graph: Graph, r: random.Random, sizes: Mapping[str, int]) -> dict[str, Array]:
    """Values of the inputs that are no floats."""
    found = {}
    for value in graph.inputs:
        if value.type.dtype is not DType.FLOAT:
            shape = tuple(size.value(sizes) for size in value.type.shape)
            seed = np.random.default_rng(r.randint(0, 2**30))
            found[value.name] = seed.integers(0, 2 if value.type.dtype is DType.BOOL else 4, shape)
            if value.type.dtype is DType.BOOL:
                found[value.name] = found[value.name].astype(bool)
    return found


@dataclass
class State:
    """What is known of a value: its array, unless it is float, and a matrix for each input that it may read."""

    array: Array | None
    reads: dict[str, Matrix] = field(default_factory=dict)


class Brute:
    """`states` of the outputs of a graph.

    With `erasing`, controls that depend on an input restrict nothing in the matrices to that input.
    """

    def __init__(
        self, graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int], erasing: bool = True
    ) -> None:
        self.sizes = sizes
        self.erasing = erasing
        self.spaces = {value.name: coordinates(value.type, sizes) for value in graph.inputs}
        self.cache: dict[tuple[Node, int, int, frozenset[int]], Matrix] = {}
        self.cached_reads: dict[Node, Reads] = {}
        known = {value: self._input(value, inputs.get(value.name)) for value in graph.inputs}
        self._run(graph.nodes, known)
        self.states = [known[value] for value in graph.outputs]

    def _input(self, value: Value, array: Array | None) -> State:
        space = self.spaces[value.name]
        count = int(np.prod(space))
        return State(array, {value.name: np.eye(count, dtype=bool)})

    def _run(self, nodes: Iterable[Node], known: dict[Value, State]) -> None:
        for node in nodes:
            operands = [known[value] for value in node.inputs]
            known.update(zip(node.outputs, self._node(node, operands), strict=True))

    def _region(self, graph: Graph, operands: Sequence[State]) -> list[State]:
        known = dict(zip(graph.inputs, operands, strict=True))
        self._run(graph.nodes, known)
        return [known[value] for value in graph.outputs]

    def _node(self, node: Node, operands: Sequence[State]) -> list[State]:
        if isinstance(node.op, Call):
            return self._region(node.regions[0], operands)
        if isinstance(node.op, Repeat):
            carried = operands[0]
            for body in node.op.schedule:
                (carried,) = self._region(node.regions[body], [carried, *operands[1:]])
            return [carried]
        assert isinstance(node.op, Primitive)
        return self._primitive(node, node.op, operands)

    def _primitive(self, node: Node, op: Primitive, operands: Sequence[State]) -> list[State]:
        if node not in self.cached_reads:
            self.cached_reads[node] = op.reads([x.type for x in node.inputs], [y.type for y in node.outputs])
        results = []
        for number, value in enumerate(node.outputs):
            state = State(self._array(op, value, operands, number))
            for name in {name for operand in operands for name in operand.reads}:
                total = np.zeros(
                    (int(np.prod(coordinates(value.type, self.sizes))), int(np.prod(self.spaces[name]))), dtype=bool
                )
                for place, operand in enumerate(operands):
                    if name in operand.reads:
                        total |= self._read(node, number, place, operands, name) @ operand.reads[name]
                if total.any():
                    state.reads[name] = total
            results.append(state)
        return results

    def _array(self, op: Primitive, value: Value, operands: Sequence[State], number: int) -> Array | None:
        if value.type.dtype is DType.FLOAT:
            return None
        return op.reference([operand.array for operand in operands], {}, self.sizes)[number]

    def _read(self, node: Node, number: int, place: int, operands: Sequence[State], name: str) -> Matrix:
        """What an output reads of one operand, to be followed to the input named."""
        known = {k: operand for k, operand in enumerate(operands) if operand.array is not None}
        erased = frozenset(k for k, operand in known.items() if self.erasing and name in operand.reads)
        key = (node, number, place, erased)
        if key not in self.cache:
            relation = self.cached_reads[node][number][place]
            for k in erased:
                relation = erase(relation, k)
            shapes = {k: tuple(size.value(self.sizes) for size in node.inputs[k].type.shape) for k in known}
            controls = {k: operand.array.reshape(shapes[k]) for k, operand in known.items()}
            out, inp = (coordinates(v.type, self.sizes) for v in (node.outputs[number], node.inputs[place]))
            found = matrix(relation, out, inp, controls, self.sizes)
            self.cache[key] = found.reshape(int(np.prod(out)), int(np.prod(inp)))
        return self.cache[key]
