"""An atom is one file: one that stands in a folder of its own is read, proved, compiled, computed and drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import archspec
from archspec.cli.show_command import command as show_command
from archspec.masks import atoms as folder
from archspec.masks.registry import atoms
from archspec.oracle.interpreter import interpret

FILE = '''"""The atom `earlier`."""

from archspec.algebra.dim import Dim
from archspec.masks.atom import MaskAtom
from archspec.masks.bands import band
from archspec.masks.leaf import Resizable
from archspec.masks.source import MaskSource
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation, apart
from archspec.text.mask import expr_argument


@record(kw_only=False)
class Earlier(MaskAtom):
    """`i - j >= gap`: keys that lie at least so far back."""

    word = "earlier"
    argument = expr_argument("gap")
    hint = "earlier"
    by_query = by_key = compares = implies_causal = True
    absolute = opens_prefix = False
    measures = "distance"

    gap: Dim

    @classmethod
    def read(cls, written, reader):
        return cls(reader.size(cls.argument.of(written), 1))

    def uses(self):
        return ()

    def renumbered(self, numbers):
        return self

    def sizes(self):
        return (self.gap,)

    def window(self):
        return None

    def resizable(self):
        return Resizable(size=self.gap, drawn=(1, 2), make=Earlier)

    def evaluate(self, at):
        return at.i - at.j >= self.gap.value(at.sizes)

    def emit(self, w):
        return MaskSource(f"{w.distance} >= {w.size(self.gap)}", 2)

    def relation(self, at):
        if at.apart or len(at.query) != 1 or len(at.key) != 1:
            return EVERYTHING
        return Relation((apart(at.query[0], at.key[0], self.gap, None),))

    def holds(self, i, j, sizes):
        return i - j >= self.gap.value(sizes)

    def surely_allows(self, key, promises):
        return False

    def text(self, names):
        return f"earlier({self.gap})"
'''
SPEC = """archspec: 1
name: gapped
dims: {batch: [1, 2, 4], length: [1, 6, 12]}
inputs: {q: "float[batch, length, 8]", x: "float[batch, length, 8]"}
graph: {y: {block: attend, query: q, key: x, value: x, heads: 2, mask: earlier(2)}}
outputs: {y: "float[batch, length, 8]"}
rules:
  - causal: {output: y, input: x}
  - within: {output: y, input: x, mask: earlier(2)}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A spec that uses the atom of one more file."""
    home = tmp_path / "more_atoms"
    home.mkdir()
    (home / "earlier.py").write_text(FILE)
    (tmp_path / "gapped.yaml").write_text(SPEC)
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(home)])
    yield tmp_path / "gapped.yaml"
    sys.modules.pop("archspec.masks.atoms.earlier", None)


def by_formula(q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Attention of two heads over keys at least two positions back; a query without a key gives zeros."""
    out = np.zeros_like(x)
    for head in (slice(0, 4), slice(4, 8)):
        for row, i in np.ndindex(x.shape[:2]):
            keys = x[row, : max(0, i - 1), head]
            if len(keys):
                weights = np.exp(keys @ q[row, i, head] / 2)
                out[row, i, head] = weights @ keys / weights.sum()
    return out


def test_an_atom_is_one_file(spec: Path) -> None:
    assert "earlier" in atoms()
    report = archspec.check(spec)
    assert [verdict.status for verdict in report.verdicts] == ["proved"] * 3
    q, x = np.random.default_rng(3).standard_normal((2, 2, 6, 8))
    np.testing.assert_allclose(interpret(report.spec.graph, {"q": q, "x": x}, {})["y"], by_formula(q, x), atol=1e-12)
    module = archspec.compile(spec).double()
    np.testing.assert_allclose(module(torch.from_numpy(q), torch.from_numpy(x)).numpy(), by_formula(q, x), atol=1e-12)


def test_it_is_drawn(spec: Path) -> None:
    ran = CliRunner().invoke(show_command, [str(spec), "--mask", "y"], catch_exceptions=False)
    assert ran.exit_code == 0
    rows = [line.count("■") for line in ran.stdout.splitlines() if line.count("■") + line.count("·") >= 6]
    assert rows[:6] == [0, 0, 1, 2, 3, 4]


def test_a_mask_of_another_kind_breaks_it(spec: Path) -> None:
    spec.write_text(SPEC.replace("heads: 2, mask: earlier(2)", "heads: 2, mask: earlier(1)"))
    report = archspec.check(spec)
    assert [verdict.status for verdict in report.verdicts][:2] == ["proved", "violated"]
