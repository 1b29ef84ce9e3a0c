"""Emission takes time that grows as the file does: an editor shows the module of thousands of nodes, too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.lower import emit, rows


def test_a_statement_names_the_variables_that_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 200
    nodes = "\n".join(f"  n{k}: {{block: linear, input: {f'n{k - 1}' if k else 'x'}, dim: 4}}" for k in range(count))
    path = tmp_path / "deep.yaml"
    path.write_text(
        f"archspec: 1\nname: deep\ndims: {{batch: [1, 2, 4]}}\ninputs: {{x: 'float[batch, 4]'}}\ngraph:\n{nodes}\n"
        f"outputs: {{n{count - 1}: 'float[batch, 4]'}}\n",
        encoding="utf-8",
    )
    named: list[str] = []

    def noted(text: str) -> ast.expr:
        named.append(text)
        return name(text)

    name = rows.name
    monkeypatch.setattr(rows, "name", noted)
    text = emit(check(path).accept())
    assert text.count("self.n") >= 2 * count
    # A name for each variable in each statement would be 40,000.
    assert len(named) < 20 * count
