"""Edits between nodes: nothing is checked again, and what is said is what a fresh check says."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from archspec.editing import Document, analysis
from archspec.editing.findings import TextFinding
from archspec.editing.hints import Hint
from tests.diagnostics.corpus_case import CASES, text_of
from tests.editor.documents import document, shipped

NAMES = ("gpt2", "gated-attention", "transformer-big", "opus-mt-en-de")


def with_comments(text: str, chance: Random) -> str:
    """The text with comments, blank lines and spaces at the ends of lines, which say nothing."""
    lines = []
    for line in text.split("\n"):
        lines += [""] * chance.randrange(2) + ["  # a comment"] * chance.randrange(2)
        lines.append(line + chance.choice(("", " ", "   # 😀")) if line and not line.lstrip().startswith("#") else line)
    return "\n".join(lines)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were checked."""
    made: list[Path] = []
    own = analysis.check

    def counted(path: Path) -> object:
        made.append(path)
        return own(path)

    monkeypatch.setattr(analysis, "check", counted)
    return made


def fresh(opened: Document, text: str) -> tuple[tuple[TextFinding, ...], tuple[Hint, ...]]:
    """What a document that never had another text says."""
    other = document(text, opened.path.name, folder=opened.path.parent)
    return other.findings(), other.hints()


@pytest.mark.parametrize("name", NAMES)
def test_comments_are_not_checked(name: str, checks: list[Path]) -> None:
    path, text = shipped(name)
    opened = document(text, path.name, folder=path.parent)
    opened.findings()
    del checks[:]
    chance = Random(name)
    for _ in range(3):
        text = with_comments(text, chance)
        opened.change(text)
        said = opened.findings(), opened.hints()
        assert checks == []
        assert said == fresh(opened, text)
        del checks[:]


def test_findings_move_with_their_text(checks: list[Path]) -> None:
    """Over the corpus of diagnostics; a case whose places cannot be followed is checked anew."""
    folder = CASES[0].parent
    carried = 0
    for case in CASES:
        text = text_of(case)
        opened = document(text, case.name, folder=folder)
        opened.findings()
        del checks[:]
        changed = f"# first\n\n{text}\n# last\n" if not text.startswith(("%", "\ufeff")) else text
        opened.change(changed)
        said = opened.findings()
        carried += not checks and changed != text
        assert said == fresh(opened, changed)[0], case.name
    # Texts that do not parse say nothing that could be carried.
    assert carried > len(CASES) / 2


def test_anything_else_is_checked(checks: list[Path]) -> None:
    _, text = shipped("gpt2")
    opened = document(text)
    opened.findings()
    for old, new in (
        ("d_model: 768", "d_model: 1536"),
        ("causal, dropout", "all, dropout"),
        ("none, end", '"none", end'),
    ):
        del checks[:]
        assert old in text
        opened.change(text.replace(old, new))
        assert opened.findings() == fresh(opened, text.replace(old, new))[0]
        assert len(checks) == 2
