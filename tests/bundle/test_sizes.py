"""Formats chosen within a size: exactly the least sum of measured losses, and hardly more loss than the best plan."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle.quantising import Quantisation
from archspec.diagnostics import SpecError
from archspec.layouts.parameters import parameter_shapes
from archspec.oracle.interpreter import interpret
from archspec.passes.quantise import quantise
from archspec.quantising.plan import Plan, plan_of, read_wishes
from archspec.quantising.sizing import Option, chosen, options, stored_bytes
from archspec.quantising.spec import quantised
from archspec.quantising.tensors import stored_tensors
from tests.bundle.test_steps import TINY
from tests.steps import steps_here


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_is_that_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ways = {
        f"p{number}": [
            Option(storage=None, bytes=int(taken), loss=float(loss))
            for taken, loss in zip(rng.integers(1, 30, 3), rng.integers(0, 9, 3), strict=True)
        ]
        for number in range(5)
    }
    size = int(rng.integers(20, 90))
    fitting = [one for one in product(*ways.values()) if sum(each.bytes for each in one) <= size]
    found = chosen(ways, size)
    if not fitting:
        assert found is None
        return
    assert found is not None
    assert sum(one.bytes for one in found.values()) <= size
    assert sum(one.loss for one in found.values()) == min(sum(each.loss for each in one) for one in fitting)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sizes")
    (made / "tiny.yaml").write_text(TINY)
    rng = np.random.default_rng(0)
    np.savez(made / "ids.npz", ids=rng.integers(0, 50, size=(3, 9)))
    spec = archspec.load(made / "tiny.yaml")
    # Nodes whose weights matter by very different degrees.
    drawn = {
        name: (rng.choice([0.05, 0.2, 0.6]) * rng.normal(size=shape)).astype("f")
        for name, shape in parameter_shapes(spec.graph).items()
    }
    save_file(drawn, made / "w.safetensors")
    return made


def losses(folder: Path, plans: list[Plan]) -> list[float]:
    """The divergence of each plan as a whole, by the interpreter."""
    import torch

    spec, ids = archspec.load(folder / "tiny.yaml"), np.load(folder / "ids.npz")["ids"]
    weights = load_file(folder / "w.safetensors")
    floats = interpret(spec.graph, {"ids": ids}, weights)["logits"]
    one = np.exp(floats) / np.exp(floats).sum(-1, keepdims=True)
    found = []
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    for plan in plans:
        graph = quantised(spec, plan).graph
        stored = {name: tensor.numpy() for name, tensor in stored_tensors(graph, tensors)}
        rounded = interpret(graph, {"ids": ids}, stored)["logits"]
        two = np.exp(rounded) / np.exp(rounded).sum(-1, keepdims=True)
        found.append(float((one * np.log(one / two)).sum(-1).mean()))
    return found


def test_a_plan_within_a_size_is_among_the_best_of_all(folder: Path) -> None:
    graph = archspec.load(folder / "tiny.yaml").graph
    wishes = read_wishes(["int4:16"])
    least = plan_of(graph, wishes)
    ways = options(graph, least, tuple(least))
    fixed = stored_bytes(quantise(graph, least)[0]) - sum(each[0].bytes for each in ways.values())
    size = (
        stored_bytes(quantise(graph, least)[0])
        + stored_bytes(quantise(graph, plan_of(graph, read_wishes(["int8"])))[0])
    ) // 2
    with steps_here():
        wish = Quantisation(formats=("int4:16",), evaluate=folder / "ids.npz", size=size)
        made = archspec.build(
            folder / "tiny.yaml", folder / "out", weights=folder / "w.safetensors", targets=(), quantise=wish
        )
    entry = made.manifest.quantised
    assert entry is not None
    assert entry.loss is not None
    assert stored_bytes(quantise(graph, least)[0]) < entry.packed_bytes <= size
    # Brute force over all plans of the first two ways that fill the size: each is rounded and run as a whole.
    paths = list(ways)
    others = [
        {path: way.storage for path, way in zip(paths, one, strict=True) if way.storage is not None}
        for one in product(*(each[:2] for each in ways.values()))
        if size - 800 <= fixed + sum(way.bytes for way in one) <= size
    ]
    assert len(others) > 10
    found = losses(folder, others)
    assert entry.loss.kl <= 1.1 * min(found)
    assert entry.loss.kl < 0.8 * float(np.median(found))


def test_what_a_wish_for_a_node_says_stays(folder: Path) -> None:
    formats = ("int4:16", "states.layers.*.feed_forward.up=int4:32")
    graph = archspec.load(folder / "tiny.yaml").graph
    size = stored_bytes(quantise(graph, plan_of(graph, read_wishes(["int8"])))[0])
    with steps_here():
        made = archspec.build(
            folder / "tiny.yaml",
            folder / "fixed",
            weights=folder / "w.safetensors",
            targets=(),
            quantise=Quantisation(formats=formats, evaluate=folder / "ids.npz", size=size),
        )
    assert made.manifest.quantised is not None
    found = made.manifest.quantised.formats
    assert found["states.layers.*.feed_forward.up.weight"] == "int4:32"
    assert "int8" in {format for path, format in found.items() if path.startswith("states.layers")}


def test_a_size_holds_where_no_format_is_free(folder: Path) -> None:
    assert chosen({}, -1) is None
    formats = ("source=int8", "states=int8")
    with pytest.raises(SpecError, match="bytes at least, more than 100") as raised, steps_here():
        wish = Quantisation(formats=formats, evaluate=folder / "ids.npz", size=100)
        archspec.build(folder / "tiny.yaml", folder / "no", weights=folder / "w.safetensors", targets=(), quantise=wish)
    assert [one.code for one in raised.value.diagnostics] == ["E636"]


def test_a_size_counts_all_that_is_stored_for_the_rounding(folder: Path) -> None:
    rounding: dict[str, Any] = {"calibrate": folder / "ids.npz", "kv_cache": "int8", "activations": ("int8",)}
    taken = 0
    for number, (formats, more) in enumerate(
        [((), {**rounding, "activations": ()}), (("int4:16",), {}), (("int8",), rounding)]
    ):
        with steps_here():
            made = archspec.build(
                folder / "tiny.yaml",
                folder / f"counted{number}",
                weights=folder / "w.safetensors",
                targets=(),
                quantise=Quantisation(formats=formats, **more),
            )
        stored, entry = load_file(made.path / "model.safetensors"), made.manifest.quantised
        assert entry is not None
        fours = {path.rpartition("*.")[2] for path, one in entry.formats.items() if one.startswith("int4")}
        packed = [name.endswith(tuple(fours)) if fours else False for name in stored]
        sizes = [one.nbytes // (1 + half) for one, half in zip(stored.values(), packed, strict=True)]
        taken = entry.packed_bytes
        assert taken == sum(sizes)
    # One byte less than the least plan takes, scales of cache and activations included.
    with pytest.raises(SpecError, match="bytes at least, more than") as raised, steps_here():
        wish = Quantisation(formats=("int8",), evaluate=folder / "ids.npz", size=taken - 1, **rounding)
        archspec.build(folder / "tiny.yaml", folder / "no", weights=folder / "w.safetensors", targets=(), quantise=wish)
    assert [one.code for one in raised.value.diagnostics] == ["E636"]


def test_a_size_that_nothing_has_is_refused(folder: Path) -> None:
    for size, evaluate, code in (
        (0, folder / "ids.npz", "E636"),
        (-5, folder / "ids.npz", "E636"),
        (100, folder / "ids.npz", "E636"),
        (10**9, None, "E632"),
        (10**9, folder / "ids.npz", "E636"),
    ):
        with pytest.raises(SpecError) as raised, steps_here():
            archspec.build(
                folder / "tiny.yaml",
                folder / "refused",
                weights=folder / "w.safetensors",
                targets=(),
                quantise=Quantisation(formats=("int8",), evaluate=evaluate, size=size),
            )
        assert [one.code for one in raised.value.diagnostics] == [code]
