"""The emitted file as a text."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from ruff.__main__ import find_ruff_bin

from archspec.checking import accepted
from archspec.lower.emission import emit
from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from tests.editing import edited
from tests.lower.graphs import GRAPHS, encoder_decoder
from tests.lower.running import source_of

GOLDEN = Path(__file__).parent / "golden"


def complaints(source: str, folder: Path) -> str:
    file = folder / "emitted.py"
    file.write_text(source)
    ruff = find_ruff_bin()
    checked = subprocess.run([ruff, "check", "--isolated", "--quiet", file], capture_output=True, text=True)
    formatted = subprocess.run([ruff, "format", "--isolated", "--diff", file], capture_output=True, text=True)
    return checked.stdout + formatted.stdout


@pytest.mark.parametrize("name", GRAPHS)
def test_ruff_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    assert complaints(source_of(GRAPHS[name]()), tmp_path) == ""


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))
def test_ruff_has_nothing_to_say_of_shipped_specs(name: str, tmp_path: Path) -> None:
    assert complaints(emit(accepted(load(name))), tmp_path) == ""


def test_the_file_of_a_small_encoder_decoder(update_golden: bool) -> None:
    file = GOLDEN / "encoder_decoder.txt"
    source = source_of(encoder_decoder(layers=2))
    if update_golden:
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
    assert source == file.read_text()


def test_the_file_of_the_shipped_transformer(update_golden: bool) -> None:
    file = GOLDEN / "transformer_base.txt"
    lines = emit(accepted(load("transformer-base"))).splitlines(keepends=True)
    source = "".join(lines[lines.index("from __future__ import annotations\n") :])
    if update_golden:
        file.write_text(source)
    assert source == file.read_text()


def test_only_torch_and_the_standard_library_are_imported() -> None:
    for name in GRAPHS:
        tree = ast.parse(source_of(GRAPHS[name]()))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert imported <= {"__future__", "math", "typing", "torch", "torch.nn.functional"}


def test_a_thousand_layers_take_as_many_lines_as_ten() -> None:
    ten, thousand = (source_of(encoder_decoder(layers=count)) for count in (10, 1000))
    assert edited(ten, ("range(10)", "range(1000)")) == thousand


def test_emission_is_deterministic() -> None:
    assert source_of(encoder_decoder(2)) == source_of(encoder_decoder(2))


def test_a_docstring_cannot_end_early() -> None:
    from archspec.lower.docs import Header
    from archspec.lower.module_file import module_file

    about = 'x"""\nimport os  # \\'
    source = module_file(GRAPHS["chain"](), Header(name="quoted", about=about))
    tree = ast.parse(source)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import) and node.names[0].name == "os"]
