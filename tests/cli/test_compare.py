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


FEATURES = """\
archspec: 1
name: {name}
dims: {{batch: [1, 2, 4]}}
inputs: {{x: "float[batch, 7]"}}
graph:
  y: {{block: linear, input: x, dim: 3}}
outputs: {{y: "float[batch, 3]"}}
"""
SIGNAL = """\
archspec: 1
name: signal
dims: {batch: [1, 2, 4], samples: {min: 8, typical: 64, max: 512, multiple: 2}}
inputs: {x: "float[batch, 1, samples]"}
graph:
  first: {block: conv, input: x, channels: 4, kernel: 5, padding: same, activation: gelu}
  second: {block: conv, input: first, channels: 2, kernel: 3, stride: 2, padding: 1}
outputs: {second: "float[batch, 2, samples//2]"}
"""


def test_without_positions_only_counts_are_compared(archspec: Command, folder: Path) -> None:
    (folder / "features.yaml").write_text(FEATURES.format(name="features"), encoding="utf-8")
    (folder / "signal.yaml").write_text(SIGNAL, encoding="utf-8")
    ran = archspec("compare", "features.yaml", "signal.yaml", "--json", "--svg", "both.svg")
    assert ran.status == 0, ran.err
    rows = {row["key"]: row["answers"] for section in ran.data["sections"] for row in section["rows"]}
    assert [one["value"] for one in rows["parameters"]] == [7 * 3 + 3, 4 * 5 + 4 + 2 * 4 * 3 + 2]
    assert rows["input"][0]["text"] == "no input has positions"
    assert {rows[key][0]["known"] for key in ("moves_up_to", "mixing_static", "shift_largest")} == {"none"}
    # A kernel of 5 and one of 3, then a stride of 2.
    assert rows["field_stage_2"][1]["value"]["extent"] == [7]
    assert rows["moves_up_to"][1]["value"] == {
        "stage": "second",
        "by": [2],
        "border": "inside the border",
        "at_size": "second",
    }
    assert rows["shift_stage_2"][1]["value"]["inside"] < 1e-5
    assert archspec("compare", "features.yaml", "signal.yaml").status == 0


def test_two_specs_without_positions(archspec: Command, folder: Path) -> None:
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(FEATURES.format(name=name), encoding="utf-8")
    assert archspec("compare", "one.yaml", "two.yaml", "--svg", "both.svg").status == 0


def test_an_input_of_the_command_is_not_overwritten(archspec: Command, folder: Path) -> None:
    (folder / "odd.svg").write_text(SMALL, encoding="utf-8")
    ran = archspec("compare", "./odd.svg", "gpt2", "--reduced", "--svg", "odd.svg")
    assert ran.status == 1
    assert (folder / "odd.svg").read_text(encoding="utf-8") == SMALL


def test_what_is_too_large_to_measure_can_still_be_proved(archspec: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.analyses.memory.available", lambda: 10_000_000)
    ran = archspec("compare", "resnet-50", "gpt2")
    assert ran.status == 1
    assert "error[E504]: `resnet-50` has 25,557,032 parameters (102 MB)" in ran.err
    assert "leave out what is measured with `--proved`" in ran.err
    assert archspec("compare", "resnet-50", "gpt2", "--proved").status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "Missing argument 'SPEC...'"),
        (("gpt2",), 1, "1 spec was given, expected at least 2"),
        (("gpt2", "gpt2"), 1, "gpt2 was given twice"),
        (("gpt2", "gtp3"), 1, "error[E208]"),
        (("gpt2", "vit-b16", "--at", "length"), 2, "'length' is not DIM=SIZE"),
        (("gpt2", "vit-b16", "--at", "length=5", "--at", "length=7"), 2, "`length` is given twice"),
        (("gpt2", "vit-b16", "--weights", "gpt2=a", "--weights", "gpt2=b"), 2, "`gpt2` is given twice"),
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
