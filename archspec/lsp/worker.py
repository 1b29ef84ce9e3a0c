"""The documents of a session, used from one thread alone; the event loop hands it the newest texts."""

from __future__ import annotations

from pathlib import Path

from archspec.editing.desk import same_file
from archspec.editing.document import Document
from archspec.editing.findings import Finding
from archspec.editing.library import Library
from archspec.lsp.texts import OpenText
from archspec.record import record


@record(eq=False)
class Found:
    """The findings of one version of a document."""

    text: OpenText
    findings: tuple[Finding, ...]


class Worker:
    """Documents by URI. Every method runs in the worker's thread."""

    def __init__(self) -> None:
        self.library = Library()
        self._documents: dict[str, tuple[OpenText, Document]] = {}

    def set_folders(self, folders: tuple[Path, ...]) -> None:
        """Say where files that extend an open one are looked for."""
        self.library.desk.folders = folders

    def take(self, texts: dict[str, OpenText]) -> None:
        """Take the texts as they are now; documents that are not among them are closed."""
        for uri in set(self._documents) - set(texts):
            self._documents.pop(uri)[1].close()
        for uri, text in texts.items():
            known = self._documents.get(uri)
            if known is None:
                self._documents[uri] = (text, Document(text.path, text.text, self.library))
            elif known[0] is not text:
                known[1].change(text.text)
                self._documents[uri] = (text, known[1])

    def document(self, uri: str) -> Document | None:
        """An open document."""
        known = self._documents.get(uri)
        return None if known is None else known[1]

    def find(self, uri: str) -> Found | None:
        """Check a document; None where it is not open any more. Nothing is computed where nothing changed."""
        known = self._documents.get(uri)
        if known is None:
            return None
        text, document = known
        return Found(text=text, findings=document.findings())

    @property
    def opened(self) -> dict[Path, str]:
        """The URIs of the open documents by where their paths lead."""
        return {same_file(text.path): uri for uri, (text, _) in self._documents.items()}
