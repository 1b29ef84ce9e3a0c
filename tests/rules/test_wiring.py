"""Wiring is the composition of what every op reads: the same, position by position, as boolean matrices."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from archspec.ir.graph import Graph, Node, Value
from archspec.ops.linear.linear import Linear
from archspec.rules.reads import Reads
from archspec.rules.wiring import path, replay, table
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.grid import CellGrid, bits_of
from archspec.rules.wiring.path import shortest, way
from archspec.rules.wiring.search import Witness
from archspec.rules.wiring.wire import Wiring, wirings
from archspec.rules.wiring.world import Tensor, World
from tests.rules.brute import Brute, coordinates, random_inputs
from tests.rules.random_graphs import random_graph, random_sizes
from tests.rules.specs import report


def cells_of(grid: CellGrid) -> list[int]:
    """The cell of every position, as the number of its bit."""
    found = []
    for index in np.ndindex(grid.sizes):
        starts = [one[bisect_right(one, k) - 1] for one, k in zip(grid.starts, index, strict=True)]
        found.append(grid.bit(starts))
    return found


def by_cells(matrix: np.ndarray, left: CellGrid, right: CellGrid) -> np.ndarray:
    """Which cells are related: those of which some positions are."""
    found = np.zeros((left.total, right.total), dtype=bool)
    np.logical_or.at(found, (np.asarray(cells_of(left))[:, None], np.asarray(cells_of(right))), matrix)
    return found


def wired(wiring: Wiring, out: Value, inp: Value) -> np.ndarray:
    """The whole relation as a matrix over cells."""
    left, right = wiring.grid(out), wiring.grid(inp)
    rows = [wiring.read(out, 1 << bit, inp) for bit in range(left.total)]
    return np.asarray([[row >> k & 1 for k in range(right.total)] for row in rows], dtype=bool)


def worlds(seeds: range):
    for seed in seeds:
        r, graph = random.Random(seed), random_graph(seed)
        sizes = random_sizes(r)
        inputs = random_inputs(graph, r, sizes)
        reads = Reads(graph)
        wiring = Wiring(graph, reads, Cells(graph, reads), world_of(graph, sizes, inputs))
        yield graph, wiring, Brute(graph, inputs, sizes, erasing=False).states


def world_of(graph: Graph, sizes: Mapping[str, int], inputs: Mapping[str, np.ndarray]) -> World:
    tensors = {
        value.name: Tensor(coordinates(value.type, sizes), tuple(int(k) for k in inputs[value.name].reshape(-1)))
        for value in graph.inputs
        if value.name in inputs
    }
    return World(sizes, tensors)


def test_what_worlds_of_equal_sizes_share_is_what_each_of_them_has_alone() -> None:
    """A wiring after others of its sizes reads as one that is made anew; other controls read otherwise."""
    changed = 0
    for seed in range(40):
        r, graph = random.Random(seed), random_graph(seed)
        sizes, reads = random_sizes(r), Reads(graph)
        cells, other = Cells(graph, reads), random_sizes(r)
        tried = [world_of(graph, one, random_inputs(graph, r, one)) for one in (sizes, sizes, sizes, other, sizes)]
        before: dict[tuple[Value, Value], np.ndarray] = {}
        for wiring in wirings(graph, reads, cells, tried):
            alone = Wiring(graph, reads, cells, wiring.world)
            for pair in product(graph.outputs, graph.inputs):
                found = wired(wiring, *pair)
                assert np.array_equal(found, wired(alone, *pair))
                changed += pair in before and not np.array_equal(found, before[pair])
                before[pair] = found
    assert changed > 30


@pytest.mark.parametrize("few", [0, 32])
def test_wiring_is_the_boolean_composition(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row where there are few positions, and as boxes where there are more."""
    monkeypatch.setattr(table, "_FEW", few)
    compared = 0
    for graph, wiring, states in worlds(range(60)):
        for out, state in zip(graph.outputs, states, strict=True):
            for source in graph.inputs:
                found = wired(wiring, out, source)
                whole = [int(np.prod(wiring.grid(value).sizes)) for value in (out, source)]
                matrix = state.reads.get(source.name, np.zeros(whole, dtype=bool))
                expected = by_cells(matrix, wiring.grid(out), wiring.grid(source))
                assert np.array_equal(found, expected)
                compared += expected.any()
    assert compared > 100


def test_the_shortest_way_leads_from_the_output_to_the_input_step_by_step() -> None:
    ways = 0
    for graph, wiring, _ in worlds(range(100, 130)):
        for out in graph.outputs:
            for source in graph.inputs:
                read = wiring.read(out, 1, source)
                if not read:
                    continue
                j = wiring.grid(source).index(next(bits_of(read)))
                steps = shortest(Witness(wiring=wiring, i=wiring.grid(out).index(0), j=j), out, source)
                places = [wiring.grid(out).index(0), *(step.reads for step in steps)]
                assert places[-1] == j
                assert [step.at for step in steps] == places[:-1]
                ways += 1
    assert ways > 30


class Some:
    """A replay that confirms some steps, always the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def reads(self, node: Node, place: int, other: int, made: Value, bit: int) -> bool:
        step = (node.path, node.op.name, place, other, made.index, bit, self.seed)
        return crc32(repr(step).encode()) % 5 > 0


def test_a_way_is_the_same_where_steps_off_the_shortest_paths_are_not_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longer = found = 0
    for seed, (graph, wiring, _) in enumerate(worlds(range(100, 160))):
        for out in graph.outputs:
            for source in graph.inputs:
                for j in list(bits_of(wiring.read(out, 1, source)))[:3]:
                    places = {"i": wiring.grid(out).index(0), "j": wiring.grid(source).index(j)}
                    declared = shortest(Witness(wiring=wiring, **places), out, source)
                    witness = Witness(wiring=wiring, replay=Some(seed), **places)  # type: ignore[arg-type]
                    taken = way(witness, out, source)
                    with monkeypatch.context() as patch:
                        patch.setattr(path, "between", lambda *_: None)
                        assert way(witness, out, source) == taken
                        assert shortest(Witness(wiring=wiring, **places), out, source) == declared
                    found += bool(taken)
                    longer += len(taken) > len(declared)
    # Some are as short as declared reads allow, and some are not.
    assert found > 60
    assert longer


def test_features_are_followed_together_and_the_positions_one_by_one(tmp_path: Path) -> None:
    spec = report(tmp_path, "causal", "causal: {output: logits, input: ids}").spec
    reads = Reads(spec.graph)
    cells = Cells(spec.graph, reads)
    logits = spec.outputs["logits"]
    assert [None if one is None else list(one) for one in cells.starts(logits)] == [None, None, [0]]


def test_layers_that_change_nothing_more_are_skipped_and_no_others(tmp_path: Path) -> None:
    """A window of two reaches one position farther with every layer, until there is none left."""
    for layers in (1, 2, 3, 7, 40):
        spec = report(tmp_path, "last(2)", "causal: {output: logits, input: ids}", layers=layers).spec
        reads = Reads(spec.graph)
        wiring = Wiring(spec.graph, reads, Cells(spec.graph, reads), World({"batch": 1, "length": 9}, {}))
        logits, (ids,) = spec.outputs["logits"], spec.graph.inputs
        place = wiring.grid(logits).bit((0, 8, 0))
        read = {wiring.grid(ids).index(bit)[1] for bit in bits_of(wiring.read(logits, 1 << place, ids))}
        assert read == set(range(max(0, 8 - layers), 9))


@pytest.mark.parametrize("kept", [0, 10_000])
def test_a_leak_is_confirmed_by_two_runs(kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not outputs are small enough to be kept; and the way is shown without a node run unchanged again."""
    runs: list[str] = []
    run, reference = replay.Changed.run, Linear.reference
    monkeypatch.setattr(replay, "MOST_KEPT", kept)
    monkeypatch.setattr(replay.Changed, "run", lambda self: (runs.append(type(self).__name__), run(self))[1])

    given: list[bytes] = []

    def computed(self: Linear, inputs: list[np.ndarray], *rest: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        given.append(inputs[0].tobytes() + rest[0]["weight"].__array__().tobytes())
        return reference(self, inputs, *rest)

    monkeypatch.setattr(Linear, "reference", computed)
    (leak, *_) = report(tmp_path, "all", "causal: {output: logits, input: ids}", layers=2).verdicts
    assert leak.status == "violated"
    assert runs == ["Unchanged", "Changed"]
    assert len(given) == len(set(given)) > 12


def test_sets_are_spread_over_some_coordinates_as_their_positions_are_one_by_one() -> None:
    r = random.Random(3)
    for _ in range(50):
        sizes = [r.randint(1, 5) for _ in range(r.randint(0, 4))]
        # Cells start anywhere, the first one at 0.
        starts = [sorted({0, *r.sample(range(n), r.randint(1, n))}) for n in sizes]
        grid = CellGrid(starts, sizes)
        found = r.getrandbits(grid.total)
        over = {k for k in range(len(sizes)) if r.random() < 0.5}
        kept = {tuple(at for k, at in enumerate(grid.index(bit)) if k not in over) for bit in bits_of(found)}
        wanted = [
            bit
            for bit in range(grid.total)
            if tuple(at for k, at in enumerate(grid.index(bit)) if k not in over) in kept
        ]
        assert list(bits_of(grid.spread(found, over))) == wanted
