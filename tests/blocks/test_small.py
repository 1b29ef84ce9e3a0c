"""Small blocks against NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.oracle.interpreter import interpret
from tests.blocks.surroundings import Trial, complaints, shapes, type_of
from tests.editing import edited
from tests.lower.running import compare, filled
from tests.options import option
from tests.spec.example import spec_of


def gives(node: str, output: str) -> tuple[np.ndarray, Trial]:
    made = Trial(node, output)
    return made.result, made


@option("rearrange.input", "rearrange.pattern")
@pytest.mark.parametrize(
    ("pattern", "sizes", "output", "expected"),
    [
        ("b n d -> b d n", "", "float[batch, d, n]", lambda x: x.swapaxes(1, 2)),
        ("b n d -> (b n) d", "", "float[batch * n, d]", lambda x: x.reshape(10, 64)),
        pytest.param(
            "b n (h c) -> b h n c",
            ", sizes: {h: heads}",
            "float[batch, 4, n, 16]",
            lambda x: x.reshape(2, 5, 4, 16).transpose(0, 2, 1, 3),
            marks=option("rearrange.sizes"),
        ),
        (
            "b n (c h) -> b (h n) c 1",
            ", sizes: {h: 2}",
            "float[batch, 2*n, 32, 1]",
            lambda x: x.reshape(2, 5, 32, 2).transpose(0, 3, 1, 2).reshape(2, 10, 32, 1),
        ),
        ("b n d -> 1 b 1 n d", "", "float[1, batch, 1, n, d]", lambda x: x[None, :, None]),
        ("b n d -> b n d", "", "float[batch, n, d]", lambda x: x),
    ],
)
def test_rearrange(pattern: str, sizes: str, output: str, expected) -> None:
    found, made = gives(f'{{block: rearrange, input: x, pattern: "{pattern}"{sizes}}}', output)
    np.testing.assert_array_equal(found, expected(made.inputs["x"]))


def test_rearrange_drops_axes_of_size_1() -> None:
    chain = '[{block: rearrange, input: x, pattern: "b n d -> b 1 n d 1"},'
    found, made = gives(f'{chain} {{block: rearrange, pattern: "b 1 n d 1 -> d n b"}}]', "float[d, n, batch]")
    np.testing.assert_array_equal(found, made.inputs["x"].transpose(2, 1, 0))


@option("concat.inputs", "concat.axis")
def test_concat() -> None:
    found, made = gives("{block: concat, inputs: [x, x * 2, x], axis: n}", "float[batch, 3*n, d]")
    x = made.inputs["x"]
    np.testing.assert_array_equal(found, np.concatenate([x, 2 * x, x], 1))


@pytest.mark.parametrize(
    ("fields", "output", "expected"),
    [
        ("axis: 1, start: 1", "float[batch, n - 1, d]", np.s_[:, 1:]),
        ("axis: 1, stop: -1", "float[batch, n - 1, d]", np.s_[:, :-1]),
        ("axis: d, start: 2, stop: d // 2", "float[batch, n, 30]", np.s_[:, :, 2:32]),
        pytest.param("axis: -1, start: -heads", "float[batch, n, 4]", np.s_[..., -4:], marks=option("slice.stop=none")),
    ],
)
def test_slice(fields: str, output: str, expected) -> None:
    found, made = gives(f"{{block: slice, input: x, {fields}}}", output)
    np.testing.assert_array_equal(found, made.inputs["x"][expected])


@option("shift.input", "shift.axis", "shift.by")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("by: 1", lambda x: np.concatenate([0 * x[:, :1], x[:, :-1]], 1)),
        ("by: -2", lambda x: np.concatenate([x[:, 2:], 0 * x[:, :2]], 1)),
        ("by: 1, fill: -heads / 8", lambda x: np.concatenate([0 * x[:, :1] - 0.5, x[:, :-1]], 1)),
    ],
)
def test_shift(fields: str, expected) -> None:
    found, made = gives(f"{{block: shift, input: x, axis: 1, {fields}}}", "float[batch, n, d]")
    np.testing.assert_array_equal(found, expected(made.inputs["x"]))


@option("roll.input", "roll.axis", "roll.by")
@pytest.mark.parametrize(("axis", "by"), [("1", 2), ("n", -1), ("-1", 30)])
def test_roll(axis: str, by: int) -> None:
    found, made = gives(f"{{block: roll, input: x, axis: {axis}, by: {by}}}", "float[batch, n, d]")
    np.testing.assert_array_equal(found, np.roll(made.inputs["x"], by, -1 if axis == "-1" else 1))


def run(folder: Path, graph: str, output: str) -> tuple[np.ndarray, np.ndarray]:
    """The input `x` and the result of a graph of several nodes, in which `valid` tells positions that count."""
    inputs = "inputs:\n  x: float[batch, length, d]\n  valid: bool[batch, length]\n"
    spec = spec_of(folder, f"{inputs if 'valid' in graph else ''}graph:\n{graph}outputs:\n  y: {output}\n")
    x = np.random.default_rng(0).normal(size=(2, 6, 8))
    given = {"x": x, "valid": VALID}
    return x, interpret(spec.graph, {name: given[name] for name in spec.inputs}, {})["y"]


VALID = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1]], bool)
LENGTH = "float[batch, length, d]"


@option("shift.fill", "slice.start")
@pytest.mark.parametrize(("by", "places"), [(2, [0, 1, 0, 1, 2, 3]), (-2, [2, 3, 4, 5, 0, 1])])
def test_shift_fills_with_a_value(by: int, places: list[int], tmp_path: Path) -> None:
    graph = f"""
  long: {{block: constant, shape: [batch, 3, d], value: 0}}
  joined: {{block: concat, inputs: [x, long], axis: 1}}
  first: {{block: slice, input: joined, axis: 1, stop: 2}}
  moved: {{block: shift, input: joined, axis: 1, by: {by}, fill: first}}
  y: {{block: slice, input: moved, axis: 1, start: {0 if by > 0 else 3}, stop: {-3 if by > 0 else "none"}}}
"""
    x, found = run(tmp_path, graph, LENGTH)
    whole = np.concatenate([x, np.zeros((2, 3, 8))], 1)
    wanted = [whole[:, :2], whole[:, :-2]] if by > 0 else [whole[:, 2:], whole[:, :2]]
    wanted = np.concatenate(wanted, 1)
    np.testing.assert_array_equal(found, wanted[:, :-3] if by > 0 else wanted[:, 3:])


@option("matmul.left", "matmul.right", "matmul.transpose_right={transpose}")
@pytest.mark.parametrize("transpose", [False, True])
def test_matmul(transpose: bool, tmp_path: Path) -> None:
    graph = f"""
  turned: {{block: rearrange, input: x * 2, pattern: "b n d -> b d n"}}
  y: {{block: matmul, left: x, right: {"x * 2, transpose_right: true" if transpose else "turned"}}}
"""
    if transpose:
        graph = edited(graph, (graph.splitlines()[1] + "\n", ""))
    x, found = run(tmp_path, graph, "float[batch, length, length]")
    np.testing.assert_allclose(found, np.einsum("bik,bjk->bij", x, 2 * x), rtol=1e-12)


@option("argmax.input", "argmax.axis")
def test_argmax() -> None:
    found, made = gives("{block: argmax, input: x, axis: d}", "int64[batch, n] < d")
    np.testing.assert_array_equal(found, made.inputs["x"].argmax(-1))


@option("affine.input", "affine.scale=true", "affine.shift=true")
@pytest.mark.parametrize("init", ["", ", init: 1e-6"])
def test_affine(init: str) -> None:
    found, made = gives(f"{{block: affine, input: x{init}}}", "float[batch, n, d]")
    np.testing.assert_allclose(found, made.inputs["x"] * made["scale"] + made["shift"])
    wanted = {"scale": "constant(1e-06)" if init else "constant(1)", "shift": "constant(0)"}
    node = next(node for node in made.spec.graph.nodes if node.name == "y")
    assert {local: str(parameter.init) for local, parameter in node.parameters.items()} == wanted


@option("affine.{left_out}=false")
@pytest.mark.parametrize(("left_out", "kept"), [("scale", "shift"), ("shift", "scale")])
def test_affine_without_a_part(left_out: str, kept: str) -> None:
    found, made = gives(f"{{block: affine, input: x, {left_out}: false}}", "float[batch, n, d]")
    assert set(shapes(made.spec)) == {kept}
    x = made.inputs["x"]
    np.testing.assert_allclose(found, x + made["shift"] if kept == "shift" else x * made["scale"])


@option("learned.shape")
def test_learned_stores_static_sizes_alone() -> None:
    made = Trial("{block: learned, shape: [batch, heads, d], init: {kind: normal, std: 1}}", "float[batch, heads, d]")
    assert made["value"].shape == (1, 4, 64)
    np.testing.assert_array_equal(made.result, np.broadcast_to(made["value"], (2, 4, 64)))


@option("constant.shape", "constant.value")
def test_constant() -> None:
    made = Trial("{block: constant, shape: [n, 3], value: 1/heads}", "float[n, 3]")
    np.testing.assert_array_equal(made.result, np.full((5, 3), 0.25))
    assert type_of(made.spec) == "float[n, 3]"


@pytest.mark.parametrize(
    "word", [pytest.param(word, marks=option(f"constant.value={word}")) for word in ("true", "false")]
)
def test_constant_of_bools(word: str) -> None:
    made = Trial(f"{{block: constant, shape: [batch, 2], value: {word}}}", "bool[batch, 2]")
    np.testing.assert_array_equal(made.result, np.full((2, 2), word == "true"))


@option("select.input", "select.where")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("where: valid", lambda x, valid: np.where(valid[..., None], x, 0)),
        ("where: not valid, otherwise: 1/heads", lambda x, valid: np.where(valid[..., None], 0.25, x)),
        pytest.param(
            "where: valid, otherwise: x * 2",
            lambda x, valid: np.where(valid[..., None], x, 2 * x),
            marks=option("select.otherwise"),
        ),
    ],
)
def test_select(fields: str, expected) -> None:
    found, made = gives(f"{{block: select, input: x, {fields}}}", "float[batch, n, d]")
    np.testing.assert_allclose(found, expected(made.inputs["x"], made.inputs["valid"]))


def test_select_over_other_axes_is_refused() -> None:
    message = "the condition is bool[batch, n], expected the first axes of float[batch, m, 48]"
    found = complaints("{block: select, input: memory, where: valid}")
    assert [(code, text) for code, text, _ in found] == [("E305", message)]


def test_concat_of_bools_and_of_integers() -> None:
    found, made = gives("{block: concat, inputs: [valid, valid], axis: 1}", "bool[batch, 2*n]")
    np.testing.assert_array_equal(found, np.tile(made.inputs["valid"], 2))
    found, made = gives("{block: concat, inputs: [sorts, ids], axis: 1}", "int64[batch, 2*n] < vocab")
    np.testing.assert_array_equal(found, np.concatenate([made.inputs["sorts"], made.inputs["ids"]], 1))


def softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@option("attend.query", "attend.key", "attend.value", "attend.mask", "attend.add=none")
@pytest.mark.parametrize(
    ("fields", "heads", "weigh"),
    [
        ("", 1, lambda s: softmax(s / 8)),
        pytest.param(", heads: heads", 4, lambda s: softmax(s / 4), marks=option("attend.heads")),
        pytest.param(", scale: 1/n", 1, lambda s: softmax(s / 5), marks=option("attend.scale")),
        pytest.param(", softcap: 3", 1, lambda s: softmax(3 * np.tanh(s / 24)), marks=option("attend.softcap")),
        (", weights: relu_squared", 1, lambda s: np.maximum(s / 8, 0) ** 2),
        (", weights: sigmoid, heads: 2", 2, lambda s: 1 / (1 + np.exp(-s / 32**0.5))),
    ],
)
def test_attend(fields: str, heads: int, weigh) -> None:
    node = f"{{block: attend, query: x, key: x * 0.5, value: x + 1, mask: all{fields}}}"
    found, made = gives(node, "float[batch, n, d]")
    x = made.inputs["x"]
    q, k, v = (one.reshape(2, 5, heads, -1).swapaxes(1, 2) for one in (x, x / 2, x + 1))
    expected = (weigh(q @ k.swapaxes(-1, -2)) @ v).swapaxes(1, 2).reshape(2, 5, 64)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@option("attend.weights={weights}", "attend.add", "attend.heads", "attend.mask", "attend.softcap=none")
@option("mask.causal", "mask.key_valid", "mask.&")
@pytest.mark.parametrize(
    ("weights", "weigh"),
    [
        ("softmax", lambda s, m: np.where(m.any(-1, keepdims=True), softmax(np.where(m, s, -1e30)), 0)),
        ("relu_squared", lambda s, m: np.where(m, np.maximum(s, 0) ** 2, 0)),
        ("sigmoid", lambda s, m: np.where(m, 1 / (1 + np.exp(-s)), 0)),
    ],
)
def test_attend_masks_and_adds_to_the_scores(weights: str, weigh, tmp_path: Path) -> None:
    graph = f"""
  scores: {{block: matmul, left: x, right: x, transpose_right: true}}
  bias: {{block: rearrange, input: scores, pattern: "b i j -> b 1 i j"}}
  y:
    block: attend
    query: x
    key: x
    value: x
    add: bias * 0.3
    mask: causal & key_valid(valid)
    weights: {weights}
    heads: 2
"""
    x, found = run(tmp_path, graph, LENGTH)
    allowed = np.tril(np.ones((6, 6), bool)) & VALID[:, None, None, :]
    heads = x.reshape(2, 6, 2, 4).swapaxes(1, 2)
    scores = heads @ heads.swapaxes(-1, -2) / 2 + 0.3 * (x @ x.swapaxes(-1, -2))[:, None]
    wanted = (weigh(scores, allowed) @ heads).swapaxes(1, 2).reshape(2, 6, 8)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_modules_of_small_blocks_give_what_the_interpreter_gives(tmp_path: Path) -> None:
    graph = """
graph:
  token: {block: learned, shape: [batch, 1, d]}
  half: {block: constant, shape: [length, d], value: 1/2}
  long: {block: concat, inputs: [token, x * half], axis: 1}
  moved: {block: shift, input: long, axis: 1, by: 1}
  parts: {block: rearrange, input: moved, pattern: "b n (h c) -> (b h) n 1 c", sizes: {h: 2}}
  scores: {block: matmul, left: moved, right: long, transpose_right: true}
  best: {block: argmax, input: scores, axis: -1}
  seen: {block: slice, input: scores, axis: 2, start: 1}
  scaled: {block: affine, input: moved, shift: false}
  table: {block: learned, shape: [3, d], init: ones}
  y: {block: attend, query: scaled, key: table_rows, value: table_rows, mask: all, weights: sigmoid}
  table_rows: table + token
outputs:
  y: float[batch, length + 1, d]
  parts: float[2*batch, length + 1, 1, d // 2]
  best: int64[batch, length + 1] < length + 1
  seen: float[batch, length + 1, length]
"""
    spec = spec_of(tmp_path, graph)
    compare(spec.graph, filled(archspec.compile(spec)).eval(), {"batch": 3, "length": 5})


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ('{block: rearrange, input: x, pattern: "b n -> n b"}', "E347"),
        ('{block: rearrange, input: x, pattern: "b n (h c) -> b n h c"}', "E203"),
        ('{block: rearrange, input: x, pattern: "b n (h c) -> b n h c", sizes: {h: 3}}', "E347"),
        ('{block: rearrange, input: x, pattern: "b n d -> b d n", sizes: {q: 3}}', "E202"),
        ('{block: rearrange, input: x, pattern: "b n d -> b d"}', "E120"),
        ("{block: concat, inputs: [x, ids], axis: 1}", "E305"),
        ("{block: slice, input: x, axis: 1, start: 3}", "E305"),
        ("{block: slice, input: x, axis: 2, start: 3, stop: 3}", "E305"),
        ("{block: linear, input: x, dim: 10000000000000000000}", "E303"),
        ("{block: attend, query: x, key: x, value: x, mask: last(n//5)}", "E304"),
        ("{block: attend, query: x, key: x, value: x, mask: within(2 - n)}", "E304"),
        ("{block: attend, query: x, key: x, value: x, mask: last(12//(n - 2))}", "E303"),
        ("{block: slice, input: x, axis: 1, start: 1/3}", "E301"),
        ("{block: slice, input: x, axis: 3}", "E350"),
        ("{block: shift, input: x, axis: 1, by: 5}", "E305"),
        ("{block: roll, input: x, axis: 1, by: -3}", "E305"),
        ("{block: roll, input: x, axis: 1, by: 1/2}", "E301"),
        ("{block: shift, input: x, axis: 1, by: 1, fill: ids}", "E347"),
        ("{block: matmul, left: x, right: x}", "E305"),
        ("{block: matmul, left: ids, right: x}", "E342"),
        ("{block: argmax, input: valid, axis: 1}", "E305"),
        ("{block: affine, input: x, scale: false, shift: false}", "E242"),
        ("{block: constant, shape: [0], value: 1}", "E304"),
        ("{block: attend, query: x, key: memory, value: memory, mask: all}", "E347"),
        ("{block: attend, query: x, key: x, value: x, mask: all, heads: 3}", "E340"),
        ("{block: attend, query: x, key: x, value: x, mask: all, add: ids}", "E342"),
    ],
)
def test_what_does_not_fit_is_refused(node: str, code: str) -> None:
    assert {found for found, _, _ in complaints(node)} == {code}
