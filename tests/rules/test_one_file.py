"""A rule is one file: one that stands in a folder of its own is read, judged, measured and documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import archspec.rules.kinds
from archspec.checking import check
from archspec.contract.protocol import Subject
from archspec.contract.verify import verify
from archspec.model.runner import FunctionRunner
from archspec.registry import RULE_KINDS
from archspec.spec.claims import claims_of
from archspec.spec.schema import json_schema
from archspec.views.reference import reference

FILE = '''
"""`before`: nothing depends on what is nearer than a gap."""

from dataclasses import replace

from pydantic import Field

from archspec.rules.kind import WithinKind
from archspec.rules.measure import between
from archspec.rules.target import window
from archspec.schema.sorts import ExprField
from archspec.spec.rule_fields import RuleFields


class BeforeFields(RuleFields):
    """Output i depends only on inputs up to i - gap."""

    gap: ExprField = Field(description="how many positions lie between")


class Before(WithinKind):
    """Output position i depends only on input positions j <= i - gap."""

    word = "before"
    fields = BeforeFields

    def resolve(self, rule, names):
        compared = names.same_positions(names.compared(rule, None))
        return replace(compared, ahead=-names.size(rule.fields.gap))

    def allowed(self, rule, terms):
        return window(rule, None, rule.ahead)

    def pairs(self, rule, inputs):
        return between(inputs, rule, None, rule.ahead)
'''
SPEC = """archspec: 1
name: moved
dims: {batch: [1, 2, 4], time: [3, 6, 12]}
inputs: {x: "float[batch, time, 8]"}
graph: {y: {block: shift, input: x, axis: 1, by: 2, fill: 0}}
outputs: {y: "float[batch, time, 8]"}
rules:
  - before: {output: y, input: x, gap: 2}
  - before: {output: y, input: x, gap: 3}
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The rule `before`, in a folder of its own."""
    folder = tmp_path / "more_rules"
    folder.mkdir()
    (folder / "before.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(archspec.rules.kinds, "__path__", [*archspec.rules.kinds.__path__, str(folder)])
    RULE_KINDS.read_from("archspec.rules.kinds")
    yield
    monkeypatch.undo()
    RULE_KINDS.read_from("archspec.rules.kinds")


def shifted(x: np.ndarray, by: int) -> np.ndarray:
    moved = np.zeros_like(x)
    moved[:, by:] = x[:, : max(0, x.shape[1] - by)]
    return moved


@pytest.mark.usefixtures("added")
def test_a_rule_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "moved.yaml"
    path.write_text(SPEC, encoding="utf-8")
    found = check(path)
    assert [verdict.status for verdict in found.verdicts] == ["proved", "violated", "proved"]
    assert "before" in json_schema()["$defs"]["RuleItem"]["properties"]
    assert "### `before` (rule)" in reference()
    runner = FunctionRunner(function=lambda arrays: {"y": shifted(arrays["x"], 2)})
    report = verify(Subject(name="moved", runner=runner), claims_of(found.spec))
    judged = {one.claim: one.status for one in report.findings}
    assert judged["before(output: y, input: x, gap: 2)"] == "holds"
    assert judged["before(output: y, input: x, gap: 3)"] == "violated"


def test_a_word_without_its_file_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "moved.yaml"
    path.write_text(SPEC, encoding="utf-8")
    with pytest.raises(archspec.SpecError, match="before"):
        check(path)


def test_a_file_that_declares_nothing_fails_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(archspec.rules.kinds, "__path__", [*archspec.rules.kinds.__path__, str(tmp_path)])
    path = tmp_path / "moved.yaml"
    path.write_text(SPEC.replace("before", "empty"), encoding="utf-8")
    with pytest.raises(RuntimeError, match="must declare one"):
        check(path)
