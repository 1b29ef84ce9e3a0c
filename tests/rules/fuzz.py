"""The prover against brute force on random graphs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from archspec.ir.graph import Graph
from archspec.relation.atoms import Relation
from archspec.relation.evaluate import matrix
from archspec.rules.flow import Dependence
from archspec.rules.reads import keys
from archspec.rules.terms import Term
from tests.rules.brute import Array, Brute, coordinates, random_inputs
from tests.rules.random_graphs import random_graph, random_sizes


@dataclass
class Tally:
    graphs: int = 0
    pairs: int = 0
    exact: int = 0
    unsound: int = 0


def value_of(term: Term, inputs: dict[str, Array], sizes: dict[str, int]) -> Array:
    if term.op is None:
        return inputs[term.text]
    operands = [value_of(operand, inputs, sizes) for operand in term.operands]
    return term.op.reference(operands, {}, sizes)[term.output]


def controls(relation: Relation, inputs: dict[str, Array], sizes: dict[str, int]) -> dict[Term, Array]:
    terms = {term for atom in relation.atoms for term in keys(atom)}
    return {term: value_of(term, inputs, sizes) for term in terms}


def judge(graph: Graph, r: random.Random) -> Iterator[tuple[bool, bool]]:
    """For each output and input, whether the proven relation holds the true one at some sizes, and whether it is it.

    The relation to a control must hold whatever that control is: one control is drawn anew for the true one. A proven
    relation may be narrower than one in which controls that depend on the input restrict nothing: `p and q` restricts
    by p where q changes.
    """
    dependence = Dependence(graph)
    sizes = random_sizes(r)
    inputs = random_inputs(graph, r, sizes)
    states = Brute(graph, inputs, sizes).states
    anew = r.choice(sorted(inputs)) if inputs else ""
    others = {anew: random_inputs(graph, r, sizes)[anew]} if inputs else {}
    drawn = Brute(graph, {**inputs, **others}, sizes, erasing=False).states
    for value, state, other in zip(graph.outputs, states, drawn, strict=True):
        for source in graph.inputs:
            proven = dependence.relation(value, source)
            spaces = [coordinates(v.type, sizes) for v in (value, source)]
            found = matrix(proven, *spaces, controls(proven, inputs, sizes), sizes)
            widest, least = (
                known.reads.get(source.name, np.zeros(found.shape, dtype=bool)).reshape(found.shape)
                for known in (state, other if source.name == anew else state)
            )
            if widest.any() or proven.atoms:
                sound = not (least & ~found).any() or (source.name in inputs and source.name != anew)
                yield sound, not (found & ~widest).any()


def run(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.graphs += 1
        for sound, exact in judge(random_graph(seed), random.Random(seed)):
            tally.pairs += 1
            tally.exact += exact
            tally.unsound += not sound
    return tally


def first_unsound(seeds: range) -> int | None:
    """How many graphs it takes to find one that is unsound."""
    for count, seed in enumerate(seeds, 1):
        if not all(sound for sound, _ in judge(random_graph(seed), random.Random(seed))):
            return count
    return None
