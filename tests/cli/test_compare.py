"""`archspec compare` as a command: the table, JSON, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Command

ROOT = Path(__file__).resolve().parent.parent.parent
MEASURED = {"effective_field", "shift"}


def test_a_table(archspec: Command, folder: Path) -> None:
    (folder / "deep.yaml").write_text(SMALL.replace("layers: 2}", "layers: 3}").replace("name: small", "name: deep"))
    ran = archspec("compare", "small.yaml", "deep.yaml", "--at", "length=8")
    assert ran.status == 0
    assert ran.out.splitlines()[0].split() == ["small", "deep"]
    assert "ids: 8 positions" in ran.out
    assert "examples/inductive_bias/" in ran.out


def test_json_has_the_same_parts_with_and_without_measurement(archspec: Command) -> None:
    measured = archspec("compare", "resnet-50", "vit-b16", "--reduced", "--json").data
    proved = archspec("compare", "resnet-50", "vit-b16", "--reduced", "--json", "--proved").data
    sections = {section["key"]: section for section in measured["sections"]}
    assert list(sections) == ["cost", "field", "effective_field", "moves", "shift", "mixing"]
    assert {section["key"] for section in proved["sections"]} == sections.keys() - MEASURED
    for key in MEASURED:
        known = {one["known"] for row in sections[key]["rows"] for one in row["answers"]}
        assert "measured" in known <= {"measured", "none"}
    for section in proved["sections"]:
        for own, other in zip(section["rows"], sections[section["key"]]["rows"], strict=True):
            assert own["key"] == other["key"]
            assert [one["value"] for one in own["answers"]] == [one["value"] for one in other["answers"]]


def test_proved_does_not_load_torch() -> None:
    command = "import sys, archspec.cli as c; sys.argv[1:] = ['compare', 'resnet-50', 'vit-b16', '--proved']"
    code = f"{command}\ntry: c.main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "Missing argument 'SPEC...'"),
        (("gpt2",), 1, "1 specs were given, expected at least 2"),
        (("gpt2", "gpt2"), 1, "gpt2 was given twice"),
        (("gpt2", "gtp3"), 1, "error[E208]"),
        (("gpt2", "vit-b16", "--at", "length"), 2, "'length' is not DIM=SIZE"),
        (("gpt2", "vit-b16", "--at", "length=0"), 1, "the dim `length` of gpt2 is 0"),
        (("gpt2", "vit-b16", "--weights", "a.safetensors"), 2, "is not NAME=FILE"),
        (("gpt2", "vit-b16", "--weights", "gpt=a.safetensors"), 1, "did you mean `gpt2`?"),
        (("gpt2", "vit-b16", "--input", "id"), 1, "no spec has the input `id`"),
    ],
)
def test_what_is_refused(archspec: Command, arguments: tuple[str, ...], status: int, said: str) -> None:
    ran = archspec("compare", *arguments)
    assert ran.status == status
    assert said in ran.err
