"""`check` reads the whole file: what `compile` or a checkpoint would refuse later is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from archspec.checking.lowerable import lowering_diagnostics
from archspec.diagnostics import Diagnostic
from archspec.lower.emission import require_module
from archspec.lower.errors import ReusedDifferently
from archspec.spec import Spec, load
from tests.checking.entrances import GOOD, write
from tests.spec.example import spec_of

SPECS = Path(__file__).resolve().parents[2] / "specs"
CASES = Path(__file__).resolve().parents[1] / "cases"
TWICE = """\
dims: {batch: [1, 2, 4], n: [1, 3, 6], m: [1, 4, 6]}
inputs:
  a: "int64[batch, n] < 7"
  c: "int64[batch, m] < 7"
  b: "int64[batch, SECOND] < 7"
graph:
  x: {block: token_embedding, ids: a, vocab: 7, dim: 4, positions: sinusoidal}
  y: {reuse: x, ids: b}
  z: {reuse: x, ids: c}
outputs:
  x: float[batch, n, 4]
  y: float[batch, SECOND, 4]
  z: float[batch, m, 4]
"""


def errors(found: tuple[Diagnostic, ...]) -> list[str]:
    return [one.code for one in found if one.severity == "error"]


@pytest.mark.parametrize("name", ["train", "forward", "class"])
def test_a_name_that_no_module_can_have(name: str, tmp_path: Path) -> None:
    path = spec_of(tmp_path, f"graph:\n  {name}: {{block: linear, input: x, dim: d}}\n  y: {name} * 2\n").path
    found = check(path).diagnostics
    assert errors(found) == ["E501"]
    assert found[0].primary is not None


def test_a_module_that_is_reused_with_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    path = CASES / "reuse-lost-mask.yaml"
    assert errors(check(path).diagnostics) == []

    def refuse(spec: Spec) -> None:
        ReusedDifferently("y").refuse()

    monkeypatch.setattr("archspec.lower.emission.require_module", refuse)
    found = [one for one in check(path).diagnostics if one.severity == "error"]
    assert [(one.code, one.message) for one in found] == [
        ("E502", "`y` reuses a module but needs different code than its first use")
    ]


@pytest.mark.parametrize("second", ["n", "m"])
def test_a_module_that_is_reused_at_another_length_is_not_lowered_to_see_that_it_can_be(
    second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tmp_path, TWICE.replace("SECOND", second))
    require_module(spec)
    monkeypatch.setattr("archspec.lower.emission.require_module", lambda spec: pytest.fail("it was lowered"))
    assert lowering_diagnostics(spec) == ()


@pytest.mark.parametrize("path", sorted([*SPECS.glob("*.yaml"), *CASES.glob("*.yaml")]), ids=lambda path: path.stem)
def test_what_is_said_without_lowering_is_what_lowering_says(path: Path) -> None:
    from archspec.diagnostics import SpecError

    try:
        spec = load(path)
    except SpecError:
        pytest.skip("the file does not load yet")
    try:
        require_module(spec)
        wanted: tuple[Diagnostic, ...] = ()
    except SpecError as error:
        wanted = error.diagnostics
    assert lowering_diagnostics(spec) == wanted


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("start: 11, end: none", ["`start` 11 >= 11"]),
        ("start: 10, end: [10, 11, 12]", ["`end` 11 >= 11", "`end` 12 >= 11"]),
        ("start: none, end: 10, ban: [0, 11]", ["`ban` 11 >= 11"]),
        ("start: none, end: 10, ban: [0, 10]", []),
    ],
)
def test_token_ids(fields: str, told: list[str], tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = path.read_text(encoding="utf-8")
    assert "start: 1, end: none" in text
    path.write_text(text.replace("start: 1, end: none", fields), encoding="utf-8")
    found = check(path).diagnostics
    assert [one.code for one in found] == ["E746"] * len(told)
    assert [one.message for one in found] == [f"token id out of range: {one}" for one in told]
    for one in found:
        assert one.primary is not None
        assert one.primary.span.text == one.message.split()[-3]


def test_a_vocabulary_of_which_nothing_may_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = path.read_text(encoding="utf-8").replace("end: none", f"end: none, ban: {list(range(11))}")
    path.write_text(text, encoding="utf-8")
    assert errors(check(path).diagnostics) == ["E746"]


def test_layouts_are_read(tmp_path: Path) -> None:
    layout = "weights: {theirs: {map: {nothing.here: a.b}}}\n"
    path = spec_of(tmp_path, f"graph:\n  y: {{block: linear, input: x, dim: d}}\n{layout}").path
    assert set(errors(check(path).diagnostics)) == {"E512", "E515"}
