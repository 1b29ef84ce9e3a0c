"""Latent attention attends to its latents in a step: where it may, what is then kept, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph
from archspec.ir.verifier import verify
from archspec.model.exposing import exposed
from archspec.ops.attention.attention import Attention
from archspec.ops.linear.linear import Linear
from archspec.oracle.interpreter import interpret
from archspec.passes.absorb_latents import AbsorbLatents, all_latent_heads
from archspec.spec import Spec, load
from tests.decoding import specs
from tests.passes.stepping import largest
from tests.passes.test_incremental import RAGGED, SCHEDULES, check, stepping

OPTIONS = {
    "queries from x": specs.LATENTS.replace("query: 8", "query: none"),
    "interleaved": specs.LATENTS.replace("layout: half", "layout: interleaved"),
    "scale": f"{specs.LATENTS}, scale: 0.2",
    "softcap": f"{specs.LATENTS}, softcap: 3",
    "learned sink": f"{specs.LATENTS}, sink: learned",
    "values of another size": f"{specs.LATENTS}, value_dim: 5",
}


def decoder(folder: Path, attention: str = specs.LATENTS, **options: str) -> Spec:
    return specs.decoder(folder, source="", attention=f", {attention}", **options)


def kept(spec: Spec) -> dict[str, str]:
    """The types of what is kept, by path without the layers."""
    return {one.path.replace("states.layers.*.", ""): str(one.type) for one in stepping(spec).found.state}


@pytest.mark.parametrize("mask", ["causal", "last(3)"])
@pytest.mark.parametrize("option", OPTIONS)
def test_steps_equal_the_full_forward(option: str, mask: str, tmp_path: Path) -> None:
    spec = decoder(tmp_path, OPTIONS[option], mask=mask)
    kind = "length" if mask == "causal" else "2"
    # Six features of the latent and four rotated ones, whatever the number of heads is.
    assert kept(spec) == {"attention.latent": f"float[2, batch, 1, {kind}, 10]"}
    check(stepping(spec))


def absorbed(spec: Spec) -> Graph:
    (length,) = spec.graph.inputs[0].type.shape[1].symbols()
    return AbsorbLatents(length=length).run(spec.graph).graph


def test_the_rewritten_graph_computes_the_same_from_the_same_parameters(tmp_path: Path) -> None:
    spec = decoder(tmp_path)
    made, rng = absorbed(spec), np.random.default_rng(0)
    parameters = {name: rng.normal(size=[d.value({}) for d in p.type.shape]) for name, p in expand(spec.graph).items()}
    assert expand(made).keys() == expand(spec.graph).keys()
    ids = {"ids": rng.integers(0, 41, (2, 7))}
    found, wanted = (interpret(graph, ids, parameters)["logits"] for graph in (made, spec.graph))
    np.testing.assert_allclose(found, wanted, atol=1e-10, rtol=0)
    # The heads' keys and values are no longer made, and all heads read one key.
    assert not any(node.name == "kv_up" and isinstance(node.op, Linear) for node in made.walk())
    (attention,) = (node for node in made.walk() if isinstance(node.op, Attention))
    assert [value.type.axes[1].size for value in attention.inputs[:3]] == [2, 1, 1]
    assert list(all_latent_heads(made)) == []


def test_weights_that_a_path_names_are_those_of_latents(tmp_path: Path) -> None:
    spec = exposed(decoder(tmp_path), ["states.layers.1.attention.weights"])
    made = absorbed(spec)
    verify(made)
    assert made.output_names == spec.graph.output_names
    assert list(kept(spec)) == ["attention.latent"]
    check(stepping(spec))


BARRED = {
    "a bias": (specs.LATENTS.replace("[out]", "[v]"), "`kv_up` has a bias"),
    "few bytes": (
        specs.LATENTS.replace("key_value: 6", "key_value: 40"),
        "latents would take 44 numbers per position, and heads take 44",
    ),
}


@pytest.mark.parametrize("case", BARRED)
def test_heads_are_kept_where_latents_may_not_be_or_are_no_less(case: str, tmp_path: Path) -> None:
    attention, reason = BARRED[case]
    spec = decoder(tmp_path, attention)
    run = stepping(spec)
    (found,) = all_latent_heads(spec.graph)
    assert found.kept(run.found.length) == reason
    assert absorbed(spec) is spec.graph
    assert kept(spec) == {
        "attention.k": "float[2, batch, 1, length, 4]",
        "attention.slice": "float[2, batch, 2, length, 8]",
        "attention.v": "float[2, batch, 2, length, 12]",
    }
    assert largest(run, RAGGED) < 1e-10


def test_one_number_less_is_enough(tmp_path: Path) -> None:
    assert kept(decoder(tmp_path, specs.LATENTS.replace("key_value: 6", "key_value: 39"))) == {
        "attention.latent": "float[2, batch, 1, length, 43]"
    }


MEMORY = """\
archspec: 1
name: latent-memory
constants: {{d_model: 16}}
dims: {{batch: [1, 2, 4], src: [1, 5, 9], length: [1, 6, 24]}}
inputs:
  source: float[batch, src, d_model]
  ids: int64[batch, length] < 41
defaults: {{norm: layer_norm, bias: false}}
graph:
  x: {{block: token_embedding, ids: ids, vocab: 41, dim: d_model}}
  states:
    block: decoder
    input: x
    layers: 2
    residual: pre
    final_norm: true
    attention: {{mask: causal, heads: 2, {attention}}}
    cross_attention: {{memory: source, mask: all, heads: 2, {cross}}}
    feed_forward: {{hidden: 32, activation: gelu}}
  logits: {{block: lm_head, input: states, tie: x.table}}
outputs: {{logits: "float[batch, length, 41]"}}
decode: {{input: ids, output: logits, start: none, end: none}}
"""


@pytest.mark.parametrize("size", [6, 40])
def test_latents_of_a_memory_are_made_once(size: int, tmp_path: Path) -> None:
    cross = specs.LATENTS.replace("key_value: 6", f"key_value: {size}")
    (tmp_path / "memory.yaml").write_text(MEMORY.format(attention=specs.LATENTS, cross=cross))
    spec = load(tmp_path / "memory.yaml")
    # Of 40 features twice as many numbers would be kept as of the heads: keys and values are read apart.
    sizes = {"latent": "1, src, 10", "slice": "1, src, 6"} if size == 6 else {"k": "2, src, 12", "v": "2, src, 12"}
    memory = {f"cross_attention.{name}": f"float[2, batch, {rest}]" for name, rest in sizes.items()}
    assert kept(spec) == {"attention.latent": "float[2, batch, 1, length, 10]"} | memory
    for schedule in SCHEDULES.values():
        assert largest(stepping(spec), schedule) < 1e-10
