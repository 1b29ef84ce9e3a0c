"""The examples of docs/reviews.md print what it says that they print."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.documents import ROOT, examples, run

PAGE = ROOT / "docs" / "reviews.md"


def test_examples(tmp_path: Path) -> None:
    for example in examples(PAGE):
        run(example, tmp_path)


def test_the_table_of_the_action_is_that_of_its_file() -> None:
    action = yaml.load((ROOT / "action.yml").read_text("utf-8"), Loader=yaml.BaseLoader)
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE)))
    assert set(named) == set(action["inputs"]) - {"token"}


def test_hooks_are_named() -> None:
    hooks = yaml.load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    text = PAGE.read_text("utf-8")
    assert all(f"`{one['id']}`" in text for one in hooks)
