"""The words inside texts of each sort, in whole specs, against NumPy and Python's own arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from archspec.checking import compile
from tests.lower.running import filled
from tests.options import option
from tests.parity.options import draft

TEXT = """
archspec: 1
name: words
{sections}
inputs:
{inputs}
graph:
{graph}
outputs:
{outputs}
"""
DIMS = "dims: {batch: [1, 2, 4], n: [2, 6, 8]}"


def module_of(graph: str, inputs: str, outputs: str, sections: str = DIMS) -> torch.nn.Module:
    def lines(text: str) -> str:
        return "\n".join(f"  {line}" for line in text.strip("\n").splitlines())

    text = TEXT.format(sections=sections, inputs=lines(inputs), graph=lines(graph), outputs=lines(outputs))
    return compile(draft(text)).double().eval()


DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(2, 6, 8))
IDS = DRAW.integers(0, 9, (2, 6))
VALID = np.array([[1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 0, 0]], bool)
OTHER = np.array([[1, 0, 0, 1, 0, 1], [1, 1, 0, 1, 1, 0]], bool)
SIGMOID = 1 / (1 + np.exp(-X))

VALUES = {
    "x + x": ("+", 2 * X),
    "x - 3 * x": ("-", -2 * X),
    "x * x": ("*", X * X),
    "2 / (x * x + 1)": ("/", 2 / (X * X + 1)),
    "exp(x)": ("exp", np.exp(X)),
    "tanh(x)": ("tanh", np.tanh(X)),
    "sigmoid(x)": ("sigmoid", SIGMOID),
    "silu(x)": ("silu", X * SIGMOID),
    "relu(x)": ("relu", np.maximum(X, 0)),
    "-x / 4 - tanh(x * relu(x))": ("-", -X / 4 - np.tanh(X * np.maximum(X, 0))),
}


@option("value.{word}", "type.float")
@pytest.mark.parametrize(("text", "word"), [(text, word) for text, (word, _) in VALUES.items()])
def test_values(text: str, word: str) -> None:
    graph = f"y: {text}\nz: {{block: rearrange, input: {text}, pattern: b n d -> b n d}}"
    found = module_of(graph, "x: float[batch, n, 8]", "y: float[batch, n, 8]\nz: float[batch, n, 8]")(torch.tensor(X))
    for one in found:
        np.testing.assert_allclose(one.numpy(), VALUES[text][1], rtol=1e-12)


PREDICATES = {
    "ids == 3": ("==", IDS == 3),
    "ids != 3": ("!=", IDS != 3),
    "ids < 4": ("<", IDS < 4),
    "ids <= 4": ("<=", IDS <= 4),
    "ids > 2 * 2": (">", IDS > 4),
    "ids >= 4": (">=", IDS >= 4),
    "not valid": ("not", ~VALID),
    "valid and ids < 5": ("and", VALID & (IDS < 5)),
    "valid or ids < 2": ("or", VALID | (IDS < 2)),
    "not (valid and other) or ids == 0": ("or", ~(VALID & OTHER) | (IDS == 0)),
    "valid or other and ids > 4": ("and", VALID | (OTHER & (IDS > 4))),
}


@option("pred.{word}", "pool.valid", "type.bool", "type.int64")
@pytest.mark.parametrize(("text", "word"), [(text, word) for text, (word, _) in PREDICATES.items()])
def test_predicates(text: str, word: str) -> None:
    names = [name for name in ("ids", "valid", "other") if name in text or name == "ids" or name == "valid"]
    given = {"ids": torch.tensor(IDS), "valid": torch.tensor(VALID), "other": torch.tensor(OTHER)}
    types = {"ids": "int64[batch, n] < 9", "valid": "bool[batch, n]", "other": "bool[batch, n]"}
    inputs = "x: float[batch, n, 8]\n" + "\n".join(f"{name}: {types[name]}" for name in names)
    graph = f"y: {{block: pool, input: x, kind: mean, valid: {text}}}\nused: {{block: pool, input: x, kind: mean, "
    graph += "valid: valid and ids != 9}"
    module = module_of(graph, inputs, "y: float[batch, 8]\nused: float[batch, 8]")
    keep = PREDICATES[text][1][..., None]
    wanted = (X * keep).sum(1) / np.maximum(keep.sum(1), 1)
    found = module(torch.tensor(X), *(given[name] for name in names)).y
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=1e-12)


ROW, J = np.arange(6)[:, None], np.arange(6)
SEGMENT = np.array([[0, 0, 1, 1, 1, 2], [4, 4, 4, 0, 0, 0]])
PREFIX = np.array([2, 5])
EVERY = np.ones((2, 6, 6), bool)
MASKS = {
    "all": ("all", EVERY),
    "causal": ("causal", EVERY & (J <= ROW)),
    "last(2)": ("last", EVERY & (J <= ROW) & (ROW - J < 2)),
    "within(n // 4)": ("within", EVERY & (abs(ROW - J) <= 1)),
    "key_valid(valid)": ("key_valid", EVERY & VALID[:, None]),
    "same_segment(segment)": ("same_segment", SEGMENT[:, :, None] == SEGMENT[:, None]),
    "prefix(p)": ("prefix", EVERY & (PREFIX[:, None, None] > J)),
    "prefix(2) | causal": ("|", EVERY & ((J < 2) | (J <= ROW))),
    "causal & key_valid(valid)": ("&", EVERY & (J <= ROW) & VALID[:, None]),
    "last(3) | prefix(p) & same_segment(segment)": (
        "|",
        ((J <= ROW) & (ROW - J < 3)) | ((PREFIX[:, None, None] > J) & (SEGMENT[:, :, None] == SEGMENT[:, None])),
    ),
    "(last(3) | prefix(p)) & key_valid(not valid)": (
        "&",
        (((J <= ROW) & (ROW - J < 3)) | (PREFIX[:, None, None] > J)) & ~VALID[:, None],
    ),
}


@option("mask.{word}", "attend.mask")
@pytest.mark.parametrize(("text", "word"), [(text, word) for text, (word, _) in MASKS.items()])
def test_masks(text: str, word: str) -> None:
    """A row with no key gives zeros."""
    types = {"valid": "bool[batch, n]", "segment": "int64[batch, n]", "p": "int64[batch]"}
    given = {"valid": torch.tensor(VALID), "segment": torch.tensor(SEGMENT), "p": torch.tensor(PREFIX)}
    names = [name for name in types if f"({name})" in text or f"not {name}" in text]
    inputs = "\n".join(["x: float[batch, n, 8]", *(f"{name}: {types[name]}" for name in names)])
    graph = f"y: {{block: attend, query: x, key: x, value: x, mask: {text}}}"
    found = module_of(graph, inputs, "y: float[batch, n, 8]")(torch.tensor(X), *(given[name] for name in names))
    scores = np.where(MASKS[text][1], np.exp(X @ X.swapaxes(1, 2) / 8**0.5), 0)
    wanted = scores / np.maximum(scores.sum(-1, keepdims=True), 1e-300) @ X
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9, atol=1e-12)


EXPRESSIONS = {
    "7 + 2*a": ("+", 7 + 2 * 9),
    "a - 2 - 3": ("-", 4),
    "2 * -a + 30": ("*", 12),
    "(a + 5) / 7": ("/", 2),
    "(a + 7) // 7": ("//", 2),
    "-7 // 2 + a": ("//", -7 // 2 + 9),
    "(-7) % a": ("%", -7 % 9),
    "sqrt(a) + 1": ("sqrt", 4),
    "sqrt(4) * sqrt(a) * 2": ("sqrt", 12),
    "a * (1/3 + 1/6)*2": ("*", int(9 * (Fraction(1, 3) + Fraction(1, 6)) * 2)),
}


@option("expr.{word}", "linear.dim")
@pytest.mark.parametrize(("text", "word"), [(text, word) for text, (word, _) in EXPRESSIONS.items()])
def test_expressions_as_sizes(text: str, word: str) -> None:
    graph = f"y: {{block: linear, input: x, dim: {text}}}"
    module = module_of(
        graph, "x: float[batch, 8]", f"y: float[batch, {text}]", "constants: {a: 9}\ndims: {batch: [1, 2, 4]}"
    )
    assert module(torch.tensor(X[:, 0])).shape == (2, EXPRESSIONS[text][1])


@option("file.constants", "file.dims", "dim.min", "dim.typical", "dim.max", "dim.multiple", "input.type")
def test_constants_of_constants_and_dims_of_both() -> None:
    spec = draft(
        TEXT.format(
            sections="constants: {half: a // 2, a: 9}\n"
            "dims: {batch: [1, half, a - 1], n: {min: 3, typical: 2*a, max: 3*a, multiple: 3}}",
            inputs="  x: float[batch, n, half]",
            graph="  y: {block: rearrange, input: x, pattern: b (n c) d -> b n (c d), sizes: {c: 3}}",
            outputs="  y: float[batch, n // 3, 3*half]",
        )
    )
    assert {name: value.constant() for name, value in spec.constants.items()} == {"half": 4, "a": 9}
    found = {name: (one.min, one.typical, one.max, one.multiple) for name, one in spec.dims.items()}
    assert found == {"batch": (1, 4, 8, 1), "n": (3, 18, 27, 3)}
    x = torch.randn(2, 6, 4)
    assert torch.equal(compile(spec)(x), x.reshape(2, 2, 12))


@option("type.int32", "type.int64", "file.inputs", "file.outputs", "file.graph")
def test_ids_of_both_widths_index_alike() -> None:
    found = []
    for width, dtype in (("int32", torch.int32), ("int64", torch.int64)):
        graph = "y: {block: token_embedding, ids: ids, vocab: 9, dim: 4, positions: {kind: learned, length: 8}}"
        graph += "\npicked: {block: pool, input: y, kind: at, index: spot}"
        inputs = f"ids: {width}[batch, n] < 9\nspot: {width}[batch] < 2"
        module = filled(module_of(graph, inputs, "y: float[batch, n, 4]\npicked: float[batch, 4]"))
        result = module(torch.tensor(IDS, dtype=dtype), torch.tensor([1, 0], dtype=dtype))
        state = module.state_dict()
        rows = state["y.table"][torch.tensor(IDS)] + state["y.positions"][:6]
        torch.testing.assert_close(result.y, rows)
        torch.testing.assert_close(result.picked, rows[[0, 1], [1, 0]])
        found.append(result.y)
    assert torch.equal(*found)
