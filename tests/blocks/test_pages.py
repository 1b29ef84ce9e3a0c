from __future__ import annotations

import pytest

from archspec.diagnostics import CODES, explain
from tests.blocks.surroundings import complaints


def _nodes(code: str) -> list[str]:
    parts = explain(code).split("```")[1::2]
    return [part.removeprefix("node\n") for part in parts if part.startswith("node\n")]


OURS = [code for code in CODES if _nodes(code)]


def test_there_are_pages_with_nodes() -> None:
    assert len(OURS) > 20


@pytest.mark.parametrize("code", [code for code in OURS if code != "E206"])
def test_the_example_of_a_page_raises_its_code_alone_and_the_other_nothing(code: str) -> None:
    example, instead = _nodes(code)
    assert {found for found, _, _ in complaints(example)} == {code}
    assert complaints(instead) == []
