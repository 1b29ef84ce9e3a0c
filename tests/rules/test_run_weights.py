"""The weights of runs that confirm a violation: what is not written out is what a written matrix would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.algebra.dim import Dim
from archspec.checking import check
from archspec.ir.graph import Parameter
from archspec.ir.init import Init
from archspec.ir.types import DType, TensorType
from archspec.rules.wiring import values
from archspec.rules.wiring.repeated import RepeatedRows
from archspec.rules.wiring.values import filled
from archspec.spec.shipped import shipped_specs_dir

ROWS = RepeatedRows(block=np.random.default_rng(1).normal(size=(7, 4)), count=30)
WRITTEN = np.resize(ROWS.block, (30, 4))


def weight(*shape: int) -> Parameter:
    return Parameter(path="w", type=TensorType.of(DType.FLOAT, *map(Dim.of, shape)), init=Init(kind="normal"))


def test_repeated_rows_are_those_of_the_written_matrix() -> None:
    ids = np.array([[0, 29, 7], [-1, -30, 13]])
    x = np.random.default_rng(2).normal(size=(2, 3, 4))
    assert ROWS.shape == WRITTEN.shape
    np.testing.assert_array_equal(ROWS[ids], WRITTEN[ids])
    np.testing.assert_array_equal(ROWS[3:9], WRITTEN[3:9])
    np.testing.assert_array_equal(ROWS[1:, 2], WRITTEN[1:, 2])
    np.testing.assert_allclose(x @ ROWS.T, x @ WRITTEN.T)
    # Whatever else is done with it is done with the written matrix.
    np.testing.assert_array_equal(np.broadcast_to(ROWS, (2, 30, 4)), np.broadcast_to(WRITTEN, (2, 30, 4)))
    np.testing.assert_allclose(np.einsum("bti,oi->bto", x, ROWS), x @ WRITTEN.T)
    np.testing.assert_array_equal(np.ones(4) * np.asarray(ROWS.T.T), WRITTEN)
    np.testing.assert_array_equal(np.ones(30) + ROWS.T, 1 + WRITTEN.T)
    for beyond in ([30], [-31]):
        with pytest.raises(IndexError):
            ROWS[np.array(beyond)]


@pytest.mark.parametrize("shape", [(30, 50), (512, 512), (16, 3, 3, 3), (7, 300, 150), (5000, 64)])
def test_weights_have_the_size_of_initialisations_and_are_decided_by_name_and_trial(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "_LONGEST", 1 << 18)
    found = np.asarray(filled(weight(*shape), "a", 0))
    assert found.shape == shape
    inputs = np.prod(shape[1:])
    assert 0.8 < found.std() * inputs**0.5 < 1.25
    np.testing.assert_array_equal(found, np.asarray(filled(weight(*shape), "a", 0)))
    for other in (filled(weight(*shape), "b", 0), filled(weight(*shape), "a", 1)):
        assert not np.allclose(found, np.asarray(other))
    # Neighbours differ, and so do the halves of a matrix.
    rows = found.reshape(shape[0], -1)[: values._ROWS, :8]
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert not np.allclose(found[: shape[0] // 2], found[-(shape[0] // 2) :])


def test_weights_share_memory_and_are_not_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        filled(weight(300, 300), "a", 0)[0] = 1.0


LEAK = {
    "transformer-base": [("block: decoder", "block: transformer"), ("mask: causal", "mask: all")],
    "gpt2": [("block: decoder", "block: transformer"), ("mask: causal", "mask: all")],
}


def leaking(folder: Path, name: str) -> Path:
    text = (shipped_specs_dir() / f"{name}.yaml").read_text("utf-8")
    for before, after in LEAK[name]:
        assert before in text
        text = text.replace(before, after)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_leak_at_full_size_is_confirmed_without_writing_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of 37,000 rows of 512 has 152 MB; to write it for each run took most of four seconds."""
    taken: list[int] = []

    def counted(start: int, count: int, divisor: float) -> np.ndarray:
        taken.append(count)
        return numbers(start, count, divisor)

    numbers = values._numbers
    monkeypatch.setattr(values, "_numbers", counted)
    monkeypatch.delattr(RepeatedRows, "__array__")
    report = check(leaking(tmp_path, "transformer-base"))
    assert [one.code for one in report.diagnostics] == ["E420"]
    # All stretches are views of a few arrays; the largest is no whole table.
    assert len(taken) > 100 and max(taken) <= values._ROWS * 2048


def test_the_same_is_found_with_written_matrices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = leaking(tmp_path, "gpt2")
    found = check(path, reduced=True).diagnostics
    monkeypatch.setattr(values, "_ROWS", 13)
    assert check(path, reduced=True).diagnostics == found
    assert [one.code for one in found] == ["E420"]
