"""Rename a name of a spec and compare what the files then say: the printed graph, the counts, the rules, the layouts.

Rules are not judged: a verdict follows from the graph and the rules, which are compared word by word.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from archspec.analyses.cost import cost
from archspec.checking.lowerable import lowering_diagnostics
from archspec.editing import Desk, Document
from archspec.editing.library import Library
from archspec.editing.names import NameOf
from archspec.editing.rename import RenameRefusedError, edited
from archspec.ir.printer import print_graph
from archspec.layouts.check import layout_diagnostics
from archspec.spec import Spec, check_counts, load
from archspec.spec.shipped import shipped_specs_dir

NEW = "zz_new_name"


@dataclass
class Renamed:
    """A name, the files that changed, and what differs after it; "" for nothing."""

    name: NameOf
    files: list[str]
    wrong: str
    refused: str = ""


class Renamer:
    """A copy of the shipped specs, in which names are renamed one at a time; the files are changed in a second copy."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.changed = folder / "specs", folder / "changed"
        shutil.copytree(shipped_specs_dir(), self.folder)
        for path in self.folder.glob("*.yaml"):
            # By file, so that the copies extend one another.
            text = re.sub(r"(?m)^(extends: [\w.-]+)$", r"\1.yaml", path.read_text("utf-8"))
            path.write_text(text, "utf-8")
        shutil.copytree(self.folder, self.changed)
        self.library = Library(Desk((self.folder,)))
        self.before: dict[Path, str] = {}
        self._opened: Document | None = None

    def names(self, spec: str) -> list[NameOf]:
        """The names that a spec defines itself."""
        path = self.folder / f"{spec}.yaml"
        found = self.library.reading(path).names
        assert found is not None
        return [name for name, one in found.definitions.items() if one.span.source.name == str(path)]

    def opened(self, spec: str) -> Document:
        """A spec in the editor; it stays open until another one is opened, so that its check is kept."""
        path = self.folder / f"{spec}.yaml"
        if self._opened is None or self._opened.path != path:
            if self._opened is not None:
                self._opened.close()
            self._opened = Document(path, path.read_text("utf-8"), self.library)
        return self._opened

    def rename(self, spec: str, name: NameOf) -> Renamed:
        """Rename a name in all files, compare, and put the files back."""
        opened = self.opened(spec)
        defined = opened.read.names.definitions[name]
        try:
            edits = opened.rename(opened.read.lines.place(defined.span.start), NEW)
        except RenameRefusedError as error:
            return Renamed(name=name, files=[], wrong="", refused=str(error))
        files = [Path(file) for file in dict.fromkeys(one.spot.file for one in edits)]
        texts = {file: file.read_text("utf-8") for file in files}
        try:
            for file, text in texts.items():
                new = edited(text, [one for one in edits if one.spot.file == str(file)])
                (self.changed / file.name).write_text(new, "utf-8")
            found = {file: restored(said(load(self.changed / file.name)), name) for file in files}
        finally:
            for file, text in texts.items():
                (self.changed / file.name).write_text(text, "utf-8")
        told = ((file, difference(self.said(file), text)) for file, text in found.items() if self.said(file) != text)
        wrong = [f"{file.name}: {what}" for file, what in told]
        return Renamed(name=name, files=[file.name for file in files], wrong="; ".join(wrong))

    def said(self, file: Path) -> str:
        if file not in self.before:
            self.before[file] = said(load(file))
        return self.before[file]


def said(spec: Spec) -> str:
    """All that a spec says, with names."""
    counted = cost(spec.graph)
    found = (*spec.warnings, *check_counts(spec, counted), *lowering_diagnostics(spec), *layout_diagnostics(spec))
    lines = [print_graph(spec.graph), str(counted), *map(str, spec.rules)]
    lines += [f"{one.code} {one.message}" for one in found]
    lines += [f"{name}: {value}" for name, value in spec.constants.items()]
    lines += [f"{path}: {value.type}" for path, value in spec.values.items()]
    return sorted_words("\n".join(lines))


def restored(text: str, name: NameOf) -> str:
    """A text with the old name in place of the new, also where it names a class."""
    text = re.sub(rf"(?<![A-Za-z]){NEW}(?![A-Za-z])", name.text, text)
    return sorted_words(text.replace(_camel(NEW), _camel(name.text)))


def sorted_words(text: str) -> str:
    """The words of each line in order, then the lines: the terms of a size and lists of names are sorted by names."""
    return "\n".join(sorted(" ".join(sorted(re.findall(r"\w+|[^\w\s]", line))) for line in text.split("\n")))


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def difference(one: str, other: str) -> str:
    pairs = zip(one.split("\n"), other.split("\n"), strict=False)
    return next((f"{a!r} is {b!r}" for a, b in pairs if a != b), "")
