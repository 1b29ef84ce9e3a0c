"""The documents of a session, used from one thread alone; the event loop hands it the newest texts."""

from __future__ import annotations

from pathlib import Path

from archspec.editing.document import Document
from archspec.editing.findings import TextFinding
from archspec.editing.library import Library
from archspec.lsp.texts import OpenText
from archspec.record import record
from archspec.text.sections import names_section

_SECTIONS = ("archspec", "graph", "extends")


@record(eq=False)
class Found:
    """The findings of one version of a document."""

    text: OpenText
    findings: tuple[TextFinding, ...]


class Worker:
    """Documents by URI. Every method runs in the worker's thread.

    `all_documents` has every document checked. Otherwise one is only when it says, or once said, what a spec says: an
    editor sends all files of YAML, of which most are something else.
    """

    def __init__(self) -> None:
        self.library = Library()
        self.all_documents = False
        self._documents: dict[str, tuple[OpenText, Document]] = {}
        self._specs: set[str] = set()

    def set_folders(self, folders: tuple[Path, ...]) -> None:
        """Say where files that extend an open one are looked for."""
        self.library.desk.folders = folders

    def take(self, texts: dict[str, OpenText]) -> None:
        """Take the texts as they are now; documents that are not among them are closed."""
        for uri in set(self._documents) - set(texts):
            self._documents.pop(uri)[1].close()
            self._specs.discard(uri)
        for uri, text in texts.items():
            known = self._documents.get(uri)
            if known is not None and known[0] is text:
                continue
            if names_section(text.text, *_SECTIONS):
                self._specs.add(uri)
            if known is None:
                self._documents[uri] = (text, Document(text.path, text.text, self.library))
            else:
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
        is_spec = self.all_documents or uri in self._specs
        return Found(text=text, findings=document.findings() if is_spec else ())
