"""Rename a name of a spec and compare what the files then say: the printed graph, the counts and the verdicts."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from archspec.checking import Report, check
from archspec.editing import Desk, Document
from archspec.editing.library import Library
from archspec.editing.names import NameOf
from archspec.editing.rename import RenameRefusedError, edited
from archspec.ir.printer import print_graph
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
    """A copy of the shipped specs, in which names are renamed one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "specs"
        shutil.copytree(shipped_specs_dir(), self.folder)
        for path in self.folder.glob("*.yaml"):
            # By file, so that the copies extend one another.
            text = re.sub(r"(?m)^(extends: [\w.-]+)$", r"\1.yaml", path.read_text("utf-8"))
            path.write_text(text, "utf-8")
        self.library = Library(Desk((self.folder,)))
        self.before: dict[Path, str] = {}

    def names(self, spec: str) -> list[NameOf]:
        """The names that a spec defines itself."""
        path = self.folder / f"{spec}.yaml"
        found = self.library.reading(path).names
        assert found is not None
        return [name for name, one in found.definitions.items() if one.span.source.name == str(path)]

    def rename(self, spec: str, name: NameOf) -> Renamed:
        """Rename a name in all files, compare, and put the files back."""
        path = self.folder / f"{spec}.yaml"
        opened = Document(path, path.read_text("utf-8"), self.library)
        defined = opened.read.names.definitions[name]
        try:
            edits = opened.rename(opened.read.lines.place(defined.span.start), NEW)
        except RenameRefusedError as error:
            return Renamed(name=name, files=[], wrong="", refused=str(error))
        finally:
            opened.close()
        files = [Path(file) for file in dict.fromkeys(one.spot.file for one in edits)]
        texts = {file: file.read_text("utf-8") for file in files}
        wanted = {file: self.said(file) for file in files}
        try:
            for file, text in texts.items():
                file.write_text(edited(text, [one for one in edits if one.spot.file == str(file)]), "utf-8")
            found = {file: restored(said(check(file)), name) for file in files}
        finally:
            for file, text in texts.items():
                file.write_text(text, "utf-8")
        wrong = [
            f"{file.name}: {difference(wanted[file], found[file])}" for file in files if wanted[file] != found[file]
        ]
        return Renamed(name=name, files=[file.name for file in files], wrong="; ".join(wrong))

    def said(self, file: Path) -> str:
        if file not in self.before:
            self.before[file] = said(check(file))
        return self.before[file]


def said(report: Report) -> str:
    """All that a check finds, with names."""
    lines = [print_graph(report.spec.graph), str(report.cost), *(f"{one.rule} {one.status}" for one in report.verdicts)]
    lines += [f"{one.code} {one.message}" for one in report.diagnostics]
    lines += [f"{name}: {value}" for name, value in report.spec.constants.items()]
    lines += [f"{path}: {value.type}" for path, value in report.spec.values.items()]
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
