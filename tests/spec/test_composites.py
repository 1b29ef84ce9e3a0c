"""User-defined blocks: bodies, fields of every sort, isolation, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.analyses.parameters import expand
from archspec.checking import accepted
from archspec.lower import emit
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec
from tests.editing import edited
from tests.lower.running import compare, filled
from tests.options import option
from tests.spec.example import refusal, spec_of

UNIT = """
constants: {d: 6, width: 10}
inputs:
  x: float[batch, length, d]
  valid: bool[batch, length]
defaults: {norm: layer_norm}
blocks:
  gated_attention:
    fields: {hidden: size, key: {type: size, default: 128}, mask: mask}
    inputs:
      x: float[b, n, d]
    graph:
      h: {block: norm, input: x}
      u: {block: linear, input: h, dim: hidden, activation: silu}
      v: {block: linear, input: h, dim: hidden, activation: silu}
      z: {block: linear, input: h, dim: key, activation: silu}
      q: {block: affine, input: z}
      k: {block: affine, input: z}
      a: {block: attend, query: q, key: k, value: v, heads: 1, mask: mask, weights: relu_squared, scale: 1/n}
      o: {block: linear, input: u * a, dim: d}
      y: x + o
    outputs:
      y: float[b, n, d]
"""


def silu(x):
    return x / (1 + np.exp(-x))


def unit(x, p, allowed):
    """The gated attention unit of the language's reference, from the formula."""
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    h = (x - mean) / np.sqrt(variance + 1e-5) * p["h.weight"] + p["h.bias"]
    u, v, z = (silu(h @ p[f"{name}.weight"].T + p[f"{name}.bias"]) for name in "uvz")
    q, k = (z * p[f"{name}.scale"] + p[f"{name}.shift"] for name in "qk")
    scores = np.einsum("bid,bjd->bij", q, k) / x.shape[1]
    weights = np.where(allowed, np.maximum(scores, 0) ** 2, 0)
    a = np.einsum("bij,bjd->bid", weights, v)
    return x + (u * a) @ p["o.weight"].T + p["o.bias"]


def filled_at_random(spec: Spec):
    rng = np.random.default_rng(0)
    names = expand(spec.graph)
    return {name: rng.normal(0, 0.5, [s.constant for s in one.type.shape]) for name, one in names.items()}


def below(parameters, prefix: str):
    return {name.removeprefix(prefix): array for name, array in parameters.items() if name.startswith(prefix)}


X = np.random.default_rng(1).normal(size=(2, 5, 6))
VALID = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], bool)
CAUSAL = np.tril(np.ones((5, 5), bool)) & VALID[:, None, :]
NODE = "block: gated_attention, x: x, hidden: width, key: 4, mask: causal & key_valid(valid)"


@pytest.mark.parametrize(
    ("more", "layers"),
    [("", [""]), (", repeat: 3", ["0.", "1.", "2."]), (", repeat: 3, share: true", ["0.", "0.", "0."])],
)
def test_the_gated_attention_unit_is_its_formula(more: str, layers: list[str], tmp_path: Path) -> None:
    spec = spec_of(tmp_path, f"{UNIT}graph:\n  y: {{{NODE}{more}}}")
    parameters = filled_at_random(spec)
    wanted = X
    for layer in layers:
        wanted = unit(wanted, below(parameters, f"y.{layer}"), CAUSAL)
    found = interpret(spec.graph, {"x": X, "valid": VALID}, parameters)["y"]
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    compare(spec.graph, filled(archspec.compile(spec)).eval(), {"batch": 2, "length": 7})


def test_a_chain_feeds_the_first_input_and_reuse_takes_another_mask(tmp_path: Path) -> None:
    graph = f"""
graph:
  a: {{{NODE}}}
  b: {{reuse: a, x: a, mask: all}}
  y:
    - b * 2
    - {{block: gated_attention, hidden: 3, mask: causal}}
"""
    spec = spec_of(tmp_path, UNIT + graph)
    parameters = filled_at_random(spec)
    own = below(parameters, "a.")
    wanted = 2 * unit(unit(X, own, CAUSAL), own, True)
    wanted = unit(wanted, below(parameters, "y.1."), np.tril(np.ones((5, 5), bool)))
    assert parameters["y.1.z.weight"].shape == (128, 6)
    found = interpret(spec.graph, {"x": X, "valid": VALID}, parameters)["y"]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)
    compare(spec.graph, filled(archspec.compile(spec)).eval(), {"batch": 2, "length": 7})


def test_bodies_of_one_structure_are_one_class(tmp_path: Path) -> None:
    graph = f"graph:\n  a: {{{NODE}}}\n  y: {{{edited(NODE, ('x: x', 'x: a'))}}}"
    assert emit(accepted(spec_of(tmp_path, UNIT + graph))).count("class GatedAttention(") == 1
    graph = f"graph:\n  a: {{{NODE}}}\n  y: {{{edited(NODE, ('x: x', 'x: a'), ('key: 4', 'key: 5'))}}}"
    assert emit(accepted(spec_of(tmp_path, UNIT + graph))).count("GatedAttention(nn.Module)") == 2


SORTS = """
blocks:
  inner:
    fields:
      size: size
      number: number
      bias: bool
      act: activation
      normed: norm
      start: init
      half: {type: size, default: size // 2}
    inputs: {x: "float[b, n, d]"}
    graph:
      h: {block: norm, input: x, kind: normed}
      up: {block: linear, input: h, dim: size, bias: bias, activation: act, init: start}
      down: {block: linear, input: up * number, dim: half}
      y: {block: linear, input: down, dim: d}
    outputs:
      y: float[b, n, d]
      side: {from: down, type: "float[b, n, half]"}
"""


@option("field.type=size", "field.type=number", "field.type=bool", "field.type=activation", "field.type=norm")
@option("field.type=init", "field.default", "block.fields", "block.inputs", "block.graph", "block.outputs")
def test_fields_of_every_sort_reach_the_body(tmp_path: Path) -> None:
    graph = (
        SORTS
        + """
constants: {d: 8, tiny: 1e-3, wide: 6}
graph:
  part:
    block: inner
    x: x
    size: 2*wide
    number: 1/length
    bias: false
    act: tanh
    normed: {kind: rms_norm, eps: tiny}
    start: {kind: normal, std: tiny / 10}
  y: part + 0
outputs:
  y: float[batch, length, d]
  side: {from: part.side, type: "float[batch, length, wide]"}
"""
    )
    spec = spec_of(tmp_path, graph)
    p = filled_at_random(spec)
    assert {name: array.shape for name, array in p.items()} == {
        "part.h.weight": (8,),
        "part.up.weight": (12, 8),
        "part.down.weight": (6, 12),
        "part.down.bias": (6,),
        "part.y.weight": (8, 6),
        "part.y.bias": (8,),
    }
    assert str(expand(spec.graph)["part.up.weight"].init) == "normal(0.0001)"
    x = np.random.default_rng(2).normal(size=(2, 5, 8))
    h = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-3) * p["part.h.weight"]
    side = np.tanh(h @ p["part.up.weight"].T) / 5 @ p["part.down.weight"].T + p["part.down.bias"]
    found = interpret(spec.graph, {"x": x}, p)
    np.testing.assert_allclose(found["side"], side, rtol=1e-10)
    np.testing.assert_allclose(found["y"], side @ p["part.y.weight"].T + p["part.y.bias"], rtol=1e-10)


NESTED = """
blocks:
  outer:
    fields: {times: size, rule: mask}
    inputs: {input: "float[b, n, d]", start: "int64[b] < n"}
    graph:
      twice: {block: look, input: input, rule: causal | rule, repeat: times}
      tail: twice.1.w.q_proj
      kept: {block: pool, input: twice, kind: at, index: start}
      y: twice + tail
    outputs:
      y: float[b, n, d]
      kept: float[b, d]
  look:
    fields: {rule: mask}
    inputs: {input: "float[b, n, d]"}
    graph:
      w: {block: project, x: input}
      y: {block: attend, query: w, key: input, value: input, mask: rule, heads: 2}
    outputs: {y: "float[b, n, d]"}
  project:
    inputs: {x: "float[b, n, d]"}
    graph:
      q_proj: {block: linear, input: x, dim: d}
      y: q_proj + x
    outputs: {y: "float[b, n, d]"}
"""


def test_blocks_use_each_other_pass_masks_on_and_name_inner_values(tmp_path: Path) -> None:
    graph = (
        NESTED
        + """
inputs:
  x: float[batch, length, d]
  valid: bool[batch, length]
  at: int64[batch] < 1
graph:
  y: {block: outer, input: x, start: at, times: 2, rule: key_valid(valid)}
outputs:
  y: float[batch, length, d]
  kept: {from: y.kept, type: "float[batch, d]"}
"""
    )
    spec = spec_of(tmp_path, graph)
    p = filled_at_random(spec)
    assert set(p) == {f"y.twice.{n}.w.q_proj.{one}" for n in range(2) for one in ("weight", "bias")}
    x = np.random.default_rng(3).normal(size=(2, 5, 8))
    allowed = np.tril(np.ones((5, 5), bool)) | VALID[:, None, :]
    h = x
    for n in range(2):
        last = h @ p[f"y.twice.{n}.w.q_proj.weight"].T + p[f"y.twice.{n}.w.q_proj.bias"]
        q, k = (one.reshape(2, 5, 2, 4).swapaxes(1, 2) for one in (last + h, h))
        scores = np.where(allowed[:, None], q @ k.swapaxes(-1, -2) / 2, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        h = (weights @ k).swapaxes(1, 2).reshape(2, 5, 8)
    found = interpret(spec.graph, {"x": x, "valid": VALID, "at": np.zeros(2, int)}, p)
    np.testing.assert_allclose(found["y"], h + last, rtol=1e-10)
    np.testing.assert_allclose(found["kept"], h[:, 0], rtol=1e-10)
    compare(
        spec.graph,
        filled(archspec.compile(spec)).eval(),
        {"batch": 2, "length": 7},
    )


MINE = """
blocks:
  mine:
    fields: {size: size}
    inputs: {x: "float[b, n, d]"}
    graph:
      y: {block: linear, input: x, dim: size}
    outputs: {y: "float[b, n, d]"}
"""


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        (edited(MINE, ("dim: size", "dim: length")), "E201"),
        (edited(MINE, ("input: x", "input: outside")), "E201"),
        (edited(MINE, ("block: linear", "block: mine")), "E211"),
        (edited(MINE, ("block: linear", "block: linaer")), "E225"),
        (edited(MINE, ("mine:", "linear:")), "E209"),
        (edited(MINE, ("{size: size}", "{size: sise}")), "E205"),
        (edited(MINE, ("{size: size}", "{init: size}")), "E210"),
        (edited(MINE, ("{size: size}", "{x: size}")), "E209"),
        (edited(MINE, ("{size: size}", "{size: {type: bool, default: 3}}")), "E125"),
        (edited(MINE, ('x: "float[b, n, d]"}\n    graph', 'x: "float[b, n, 2*d]"}\n    graph')), "E201"),
        (edited(MINE, ("outputs: {y:", "outputs: {z:")), "E201"),
        (edited(MINE, ('float[b, n, d]"}\n    graph', 'float[b, n, d]", z: "bool[b]"}\n    graph')), "E213"),
        (edited(MINE, ('{x: "float[b, n, d]"}', "{}")), "E203"),
        (edited(MINE, ("dim: size", "dim: size, bogus: 1")), "E202"),
    ],
)
def test_what_a_body_may_not_hold(blocks: str, code: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, f"{blocks}graph:\n  y: {{block: mine, x: x, size: d}}")
    assert f"error[{code}]" in said, said


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("block: mine, x: x", "E203"),
        ("block: mine, x: x, size: d, other: 1", "E202"),
        ("block: mine, x: x, size: d/3", "E301"),
        ("block: mine, x: x * 1 + ids, size: d", "E201"),
        ("block: mine, x: flat, size: d", "E342"),
        ("block: pair, x: x, y: wide", "E347"),
    ],
)
def test_what_a_call_may_not_give(call: str, code: str, tmp_path: Path) -> None:
    pair = """
  pair:
    inputs: {x: "float[b, n, d]", y: "float[b, n, d]"}
    graph: {z: x + y}
    outputs: {z: "float[b, n, d]"}
graph:
  flat: {block: pool, input: x, kind: first}
  wide: {block: linear, input: x, dim: 2*d}
"""
    said = refusal(tmp_path, f"{MINE.rstrip()}{pair}  y: {{{call}}}")
    assert f"error[{code}]" in said, said


def test_blocks_that_use_each_other_in_a_circle(tmp_path: Path) -> None:
    linear = "block: linear, input: x, dim: size"
    blocks = edited(MINE, (linear, "block: other, x: x, size: size"))
    other = edited(MINE, ("mine:", "other:"), (linear, "block: mine, x: x, size: size"))
    said = refusal(tmp_path, f"{blocks.rstrip()}{other.removeprefix(chr(10) + 'blocks:')}graph:\n  y: x + 0")
    assert "cyclic definition of blocks: `mine` -> `other` -> `mine`" in said


def test_calls_are_counted(tmp_path: Path) -> None:
    """Blocks that call blocks could fill any memory from a short file."""
    text = edited(MINE, ("block: linear, input: x, dim: size", "block: linear, input: x, dim: d"))
    for level in range(5):
        name, inner = f"level{level}", f"level{level - 1}" if level else "mine"
        nodes = "".join(f"      n{k}: {{block: {inner}, x: x, size: d}}\n" for k in range(10))
        text += f"  {name}:\n    fields: {{size: size}}\n    inputs: {{x: 'float[b, n, d]'}}\n    graph:\n{nodes}"
        text += f"      y: {' + '.join(f'n{k}' for k in range(10))}\n    outputs: {{y: 'float[b, n, d]'}}\n"
    assert "more than" in refusal(tmp_path, f"{text}graph:\n  y: {{block: level4, x: x, size: d}}")
