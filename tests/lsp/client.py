"""One server for a test, driven by a real client over pipes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ClientServerConfig(
    server_command=[sys.executable, "-m", "archspec", "lsp"],
    server_env={**os.environ, "PYTHONPATH": str(ROOT)},
)
SECONDS = 60.0


class Editor:
    """A client with its documents: it sends texts and waits for what is said of the newest."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.versions: dict[str, int] = {}
        self.told: dict[str, types.PublishDiagnosticsParams] = {}
        self._news = asyncio.Event()
        own = client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]

        def published(params: types.PublishDiagnosticsParams) -> None:
            own(params)
            self.told[params.uri] = params
            self._news.set()

        client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = published

    async def open(self, uri: str, text: str) -> list[types.Diagnostic]:
        self.versions[uri] = 1
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "yaml", 1, text))
        )
        return await self.diagnostics(uri)

    def type(self, uri: str, text: str) -> None:
        """Send a new text without waiting."""
        self.versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        changes = [types.TextDocumentContentChangeWholeDocument(text)]
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, changes))

    async def change(self, uri: str, text: str) -> list[types.Diagnostic]:
        self.type(uri, text)
        return await self.diagnostics(uri)

    async def diagnostics(self, uri: str) -> list[types.Diagnostic]:
        """What is said of the newest version."""
        async with asyncio.timeout(SECONDS):
            while uri not in self.told or self.told[uri].version != self.versions[uri]:
                self._news.clear()
                await self._news.wait()
        return list(self.told[uri].diagnostics)

    async def close(self, uri: str) -> None:
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
        self.told.pop(uri, None)
        self.versions.pop(uri, None)


@asynccontextmanager
async def editor(
    folder: Path | None = None, general: types.GeneralClientCapabilities | None = None, *, every: bool = True
) -> AsyncIterator[Editor]:
    client = await CONFIG.start()
    assert isinstance(client, LanguageClient)
    folders = [types.WorkspaceFolder(folder.as_uri(), folder.name)] if folder else None
    capabilities = types.ClientCapabilities(general=general)
    options = {"allDocuments": every}
    await client.initialize_session(
        types.InitializeParams(capabilities=capabilities, workspace_folders=folders, initialization_options=options)
    )
    try:
        yield Editor(client)
    finally:
        await client.shutdown_session()
        await client.stop()
