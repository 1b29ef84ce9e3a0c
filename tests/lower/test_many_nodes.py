"""Emission takes time that grows as the file does: an editor shows the module of thousands of nodes, too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.lower import emit, rows
from tests.chains import chain_file


def test_a_statement_names_the_variables_that_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 200
    path = chain_file(tmp_path, count)
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
