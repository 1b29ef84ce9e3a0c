"""Over a real client: whatever is typed, what is shown is what a check of the text says, and nothing raises.

A few dozen seeded edits here; `tools/fuzz --typing 1000` tries as many as one likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.lsp.server import SpecServer
from archspec.lsp.worker import Worker
from tests.editor.documents import DECODER
from tests.lsp.client import editor
from tests.lsp.typing import Typist

EDITS = 30


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


@pytest.mark.asyncio
async def test_stale_work_never_queues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty texts come while the first is checked: one more check is made, and only the last text is spoken of."""
    server = SpecServer()
    gate, checks, told = asyncio.Event(), [], []

    async def run(job: Callable[[Worker], object]) -> object:
        server._worker.take(dict(server.texts))
        found = job(server._worker)
        checks.append(found)
        await gate.wait()
        return found

    monkeypatch.setattr(server, "run", run)
    monkeypatch.setattr(server, "_folders", lambda: (tmp_path,))
    monkeypatch.setattr(server, "text_document_publish_diagnostics", told.append)
    uri = (tmp_path / "typed.yaml").as_uri()
    server.put(uri, DECODER, 1)
    while not checks:
        await asyncio.sleep(0.01)
    for number in range(2, 61):
        server.put(uri, DECODER.replace("layers: 2", f"layers: {number}x"), number)
        await asyncio.sleep(0)
    gate.set()
    assert server.checking is not None
    await server.checking
    server.shutdown()
    assert len(checks) == 2
    assert [(one.version, len(one.diagnostics)) for one in told] == [(60, 1)]
