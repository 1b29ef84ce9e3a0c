"""One open file, and what it answers."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import Diagnostic
from archspec.editing.analysis import Analysis
from archspec.editing.completion import Completion, completions
from archspec.editing.findings import TextFinding, findings
from archspec.editing.fixes import Fix, Fixes
from archspec.editing.hints import Hint, hints
from archspec.editing.hover import Hover, hover
from archspec.editing.library import Library
from archspec.editing.navigation import definition, highlights, references
from archspec.editing.outline import Item, outline
from archspec.editing.places import Extent, Lines, Position, Spot
from archspec.editing.reading import FileReading
from archspec.editing.rename import Edit, renamable, rename
from archspec.editing.state import State


class Document:
    """A file of a library with the text of an editor.

    Every answer is that of the text as it is when it is asked; what a text that does not parse cannot tell is told from
    the last one that did. Nothing is computed before it is asked, and nothing twice for one content.
    """

    def __init__(self, path: Path, text: str, library: Library | None = None) -> None:
        self.path = path
        self.library = Library() if library is None else library
        self._read: FileReading | None = None
        self._checked: Analysis | None = None
        self._fixes: tuple[Analysis, Fixes] | None = None
        self.change(text)

    def change(self, text: str) -> None:
        """Give the file another text."""
        self.library.desk.change(self.path, text)

    def close(self) -> None:
        """From now on the file is read from disk."""
        self.library.desk.close(self.path)

    @property
    def read(self) -> State:
        """What is known without a check of the text as it is; of the last check that there was."""
        return self._state(self.library.reading(self.path), ())

    @property
    def checked(self) -> State:
        """What is known after a check of the text as it is."""
        now = self.library.analysis(self.path)
        if now.report is not None:
            self._checked = now
        return self._state(now.reading, now.findings)

    def _state(self, now: FileReading, found: tuple[Diagnostic, ...]) -> State:
        if now.own is not None:
            self._read = now
        return State(lines=Lines(now.source), now=now, read=self._read, checked=self._checked, findings=found)

    def findings(self) -> tuple[TextFinding, ...]:
        """What `archspec check` says of the text."""
        return findings(self.checked)

    def hover(self, place: Position) -> Hover | None:
        """What is known of what stands at a place."""
        return hover(self.checked, place)

    def completions(self, place: Position) -> tuple[Completion, ...]:
        """What may be written at a place."""
        return completions(self.read, place, self.library.desk)

    def definition(self, place: Position) -> tuple[Spot, ...]:
        """Where the name at a place is defined."""
        return definition(self.read, place, self.library)

    def references(self, place: Position, *, declared: bool = True) -> tuple[Spot, ...]:
        """Where the name at a place is used."""
        return references(self.read, place, self.library, declared=declared)

    def highlights(self, place: Position) -> tuple[Extent, ...]:
        """Where the name at a place stands in the file itself."""
        return highlights(self.read, place)

    def renamable(self, place: Position) -> Extent | None:
        """The extent of the name at a place, if there is one."""
        return renamable(self.read, place)

    def rename(self, place: Position, new: str) -> tuple[Edit, ...]:
        """The edits that rename what stands at a place. Raises RenameRefusedError."""
        return rename(self.read, place, new, self.library)

    def outline(self) -> tuple[Item, ...]:
        """The sections and names of the file."""
        return outline(self.read)

    def hints(self) -> tuple[Hint, ...]:
        """The types of nodes and the values of constants, beside them."""
        return hints(self.checked)

    def fixes(self, extent: Extent) -> tuple[Fix, ...]:
        """Edits that mend what is found within an extent."""
        now = self.library.analysis(self.path)
        if self._fixes is None or self._fixes[0] is not now:
            self._fixes = (now, Fixes(self.checked, self.library))
        return self._fixes[1].at(extent)
