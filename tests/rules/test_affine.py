"""Rules on affine maps: proved op by op, refuted by second differences, and measured on models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archspec.checking import Report, check
from archspec.contract.protocol import Subject
from archspec.contract.verify import verify
from archspec.diagnostics import SpecError
from archspec.model.runner import FunctionRunner
from archspec.spec.claims import claims_of
from tests.options import option

HEAD = """archspec: 1
name: maps
dims: {batch: [1, 2, 4], length: [2, 5, 16]}
inputs:
  x: float[batch, length, 8]
  z: float[batch, length, 8]
  ids: int64[batch, length] < 5
  valid: bool[batch, length]
defaults: {norm: batch_norm}
graph:
"""


def judged(folder: Path, graph: str, rule: str = "output: y, input: x") -> Report:
    lines = "".join(f"  {line}\n" for line in graph.strip().splitlines())
    path = folder / "maps.yaml"
    used = "  used: {block: select, input: z + x, where: valid and ids != 0, otherwise: 0}\n"
    path.write_text(
        f"{HEAD}{lines}{used}outputs:\n  y: float[batch, length, 8]\n  used: float[batch, length, 8]\n"
        f"rules:\n  - affine: {{{rule}}}\n"
    )
    return check(path)


AFFINE = {
    "linear": "y: {block: linear, input: x, dim: 8}",
    "sum": "y: x + e\ne: {block: token_embedding, ids: ids, vocab: 5, dim: 8}",
    "scaled": "y: 2 * x - x / 3",
    "convolution": """a: {block: rearrange, input: x, pattern: b n d -> b d n}
c: {block: conv, input: a, channels: 8, kernel: 3, padding: same, norm: true}
y: {block: rearrange, input: c, pattern: b d n -> b n d}""",
    "layers": "y: {block: linear, input: x, dim: 8, repeat: 3}",
    "offset": "y: x + z * z",
}
CURVED = {
    "activation": (
        "y: {block: linear, input: x, dim: 8, activation: relu}",
        "the node `activation` is not affine in what it reads",
    ),
    "square": ("y: x * x", "the node `binary` weighs what it reads by another value that depends on the input"),
    "gate": ("y: x * z", "the node `binary` weighs what it reads by another value that depends on the input"),
    "layer norm": ("y: {block: norm, input: x, kind: layer_norm}", "`y` is not affine in what it reads"),
    "attention": (
        "y: {block: attend, query: x, key: x, value: x, heads: 2, mask: all}",
        "the node `attention` is not affine in what it reads",
    ),
    "choice": (
        "y: {block: select, input: x, where: valid, otherwise: 0}",
        "`y` weighs what it reads by another value that depends on the input",
    ),
    "values of an attention": (
        "y: {block: attend, query: z, key: z, value: x, heads: 2, mask: all}",
        "the node `attention` weighs what it reads by another value that depends on the input",
    ),
}


@option("rule.affine", "affine.at=none")
@pytest.mark.parametrize("graph", AFFINE.values(), ids=AFFINE)
def test_affine_maps_are_proved(graph: str, tmp_path: Path) -> None:
    found = judged(tmp_path, graph)
    assert (found.verdicts[0].status, found.verdicts[0].explanation) == ("proved", "at all sizes, for all weights")


@pytest.mark.parametrize(("graph", "why"), CURVED.values(), ids=CURVED)
def test_other_maps_are_refuted_by_a_second_difference(graph: str, why: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, graph).verdicts[0]
    assert verdict.status == "violated"
    assert verdict.explanation == why
    (diagnostic,) = verdict.diagnostics
    assert "is violated: the effect of a change of `x` on `y` at [" in diagnostic.message
    assert diagnostic.notes[1].startswith("measured with random weights in float64: it differs by ")


def test_a_sum_that_cancels_is_unknown(tmp_path: Path) -> None:
    graph = "a: {block: linear, input: x, dim: 8, activation: relu}\ny: x + (a - a)"
    assert judged(tmp_path, graph).verdicts[0].status == "unknown"


def test_what_does_not_depend_on_the_input_is_affine(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "y: z * z").verdicts[0]
    assert (verdict.status, verdict.explanation) == ("proved", "`y` does not depend on `x`")


@option("affine.at")
def test_only_promised_positions_count(tmp_path: Path) -> None:
    """Where a row is valid the choice is the input itself; the proof does not see that, and no run refutes it."""
    graph = (
        "a: {block: linear, input: x, dim: 8, activation: relu}\n"
        "y: {block: select, input: x, where: valid, otherwise: a}"
    )
    assert judged(tmp_path, graph, "output: y, input: x, at: valid").verdicts[0].status == "unknown"
    assert judged(tmp_path, graph, "output: y, input: x, at: not valid").verdicts[0].status == "violated"


def test_ids_have_no_affine_map(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="an affine map is between floats"):
        judged(tmp_path, "y: x", "output: y, input: ids")


Curve = Callable[[np.ndarray, np.ndarray], np.ndarray]


def model(curve: Curve, dtype: type) -> FunctionRunner:
    """A model of two inputs that computes in a precision."""

    def run(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        x, z = (np.asarray(arrays[name], dtype=dtype) for name in ("x", "z"))
        return {"y": curve(x, z).astype(dtype), "used": 0 * z}

    return FunctionRunner(function=run)


@pytest.mark.parametrize(
    ("curve", "status"),
    [
        (lambda x, z: 3 * x + 1, "holds"),
        (lambda x, z: 3 * x + z**2, "holds"),
        (lambda x, z: np.abs(x), "violated"),
        (lambda x, z: x * z, "violated"),
        (lambda x, z: x + 1e-4 * x**2, "violated"),
    ],
)
def test_it_is_measured_on_a_model_that_is_a_stranger(curve: Curve, status: str, tmp_path: Path) -> None:
    claims = claims_of(judged(tmp_path, AFFINE["linear"]).spec)
    found = verify(Subject(name="stranger", runner=model(curve, np.float32), exact=model(curve, np.float64)), claims)
    (finding,) = (one for one in found.findings if one.claim.startswith("affine"))
    assert finding.status == status


@pytest.mark.parametrize(("curve", "status"), [(lambda x, z: 3 * x + z, "holds"), (lambda x, z: np.abs(x), "violated")])
def test_it_is_measured_without_a_twin_in_float64(curve: Curve, status: str, tmp_path: Path) -> None:
    claims = claims_of(judged(tmp_path, AFFINE["linear"]).spec)
    found = verify(Subject(name="stranger", runner=model(curve, np.float32)), claims)
    (finding,) = (one for one in found.findings if one.claim.startswith("affine"))
    assert finding.status == status
