"""Over a real client: whatever is typed, what is shown is what a check of the text says, and nothing raises.

A few dozen seeded edits here; `tools/fuzz --typing 1000` tries as many as one likes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lsp.client import editor
from tests.lsp.typing import Typist

EDITS = 40


@pytest.mark.asyncio
async def test_random_edits(tmp_path: Path) -> None:
    async with editor(tmp_path) as client:
        typist = Typist(client, tmp_path, "1")
        wrong = [found for number in range(EDITS) if (found := await typist.edit(number))]
    assert wrong == []
    assert typist.findings > EDITS / 3
    assert typist.answers > EDITS


@pytest.mark.asyncio
async def test_fast_typing_ends_with_what_the_last_text_says(tmp_path: Path) -> None:
    async with editor(tmp_path) as client:
        typist = Typist(client, tmp_path, "2")
        assert await typist.burst(60) == []
        # Texts that were typed over were not checked: far fewer answers came than texts were sent.
        assert typist.published < 30
