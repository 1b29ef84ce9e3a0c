"""Random edits of documents over a client, each answer held against a fresh check of the text."""

from __future__ import annotations

from pathlib import Path
from random import Random

from lsprotocol import types

from tests.edits.random_edits import edited
from tests.edits.text_edits import TEXT_EDITS
from tests.lsp.client import Editor
from tests.lsp.said import checked, shown


class Typist:
    """One document that is edited again and again; the text of a shipped spec to begin with."""

    def __init__(self, client: Editor, folder: Path, seed: str) -> None:
        self.client = client
        self.folder = folder
        self.seed = seed
        self.text = ""
        self.findings = self.answers = 0
        self.uri = (folder / "typed text.yaml").as_uri()

    async def edit(self, number: int) -> str:
        """Edit, ask everything at a random place, and compare; "" where nothing is wrong."""
        chance = Random(f"{self.seed}:{number}")
        # Mostly the last text once more, as someone types it; now and then another spec.
        again = self.text and chance.random() < 0.7
        text = chance.choice(TEXT_EDITS)(self.text, chance) if again else edited(chance)
        # Surrogates are no text of a document: JSON cannot carry one alone.
        self.text = text = text.encode("utf-8", "ignore").decode("utf-8")[:60_000]
        known = self.uri in self.client.versions
        told = await (self.client.change if known else self.client.open)(self.uri, text)
        wrong = self._compare(text, told) or await self._ask(chance, text)
        return f"edit {number}: {wrong}\n{text}" if wrong else ""

    async def burst(self, count: int) -> list[str]:
        """Send texts without waiting for what is said of them; what is said of the last must be right."""
        chance = Random(self.seed)
        text = edited(chance)
        await self.client.open(self.uri, text)
        for _ in range(count):
            text = chance.choice(TEXT_EDITS)(text, chance).encode("utf-8", "ignore").decode("utf-8")[:60_000]
            self.client.type(self.uri, text)
        wrong = self._compare(text, await self.client.diagnostics(self.uri))
        return [wrong] if wrong else []

    def _compare(self, text: str, told: list[types.Diagnostic]) -> str:
        path = self.folder / "typed text.yaml"
        path.write_bytes(text.encode())
        wanted = checked(path)
        self.findings += len(wanted)
        found = shown(told, wanted)
        return "" if found == wanted else f"{found} is not {wanted}"

    async def _ask(self, chance: Random, text: str) -> str:
        """Ask all that an editor asks; what is wrong is an error of the server, or a place that the text has not."""
        document = types.TextDocumentIdentifier(self.uri)
        lines = text.split("\n")
        line = chance.randrange(len(lines))
        position = types.Position(line, chance.randrange(len(lines[line]) + 2))
        whole = types.Range(types.Position(0, 0), types.Position(len(lines), 0))
        client = self.client.client
        context = types.CodeActionContext(diagnostics=[])
        here = types.Range(position, position)
        answers = [
            await client.text_document_hover_async(types.HoverParams(document, position)),
            await client.text_document_completion_async(types.CompletionParams(document, position)),
            await client.text_document_definition_async(types.DefinitionParams(document, position)),
            await client.text_document_references_async(
                types.ReferenceParams(types.ReferenceContext(True), document, position)
            ),
            await client.text_document_document_highlight_async(types.DocumentHighlightParams(document, position)),
            await client.text_document_prepare_rename_async(types.PrepareRenameParams(document, position)),
            await client.text_document_document_symbol_async(types.DocumentSymbolParams(document)),
            await client.text_document_inlay_hint_async(types.InlayHintParams(document, whole)),
            await client.text_document_code_action_async(types.CodeActionParams(document, here, context)),
        ]
        self.answers += sum(bool(answer) for answer in answers)
        return ""
