"""Layouts are held against the architecture alone, before any checkpoint is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.spec import load
from archspec.spec.files import locate
from archspec.spec.shipped import shipped_specs_dir
from archspec.weights import check_layouts


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))
def test_shipped_layouts_fit(name: str) -> None:
    check_layouts(load(name, reduced=True))


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("states.final_norm: ln_f", "states.last_norm: ln_f", ["E512", "E515"]),
        ("      states.final_norm: ln_f\n", "", ["E515"]),
        ("states.final_norm: ln_f", "source.(table positions): ln_f.(a b)", ["E516", "E515"]),
        ("states.final_norm: ln_f", "states.final_norm: {from: ln_f, splt: 0}", ["E202"]),
    ],
)
def test_a_bad_map_is_told_by_verify(old: str, new: str, codes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = locate("gpt2").read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(SpecError) as raised:
        CliRunner().invoke(cli, ["verify", str(path), "--reduced"], catch_exceptions=False)
    assert {found.code for found in raised.value.diagnostics} == set(codes)
    assert all(found.primary is not None for found in raised.value.diagnostics)
