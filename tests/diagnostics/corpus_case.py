"""Cases of diagnostics: spec files in `corpus/` that contain the diagnostics that are expected for them.

- `# error[E301]: TEXT` at the end of a line expects that error there, with TEXT in its message; `# warning[W201]: TEXT`
  a warning. A comment line `# ^ error[E102]: TEXT` refers to the line above it, for lines that cannot hold a comment.
- `# options: --set layers=3 --reduced` in the first lines gives the options of the check. Diagnostics of the command
  line or of another file are expected in the first line.

Any other diagnostic is a failure. The complete rendered text is in a `.txt` file of the same name.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from archspec.checking import check
from archspec.diagnostics import Diagnostic, SpecError
from archspec.model.exposing import exposed
from archspec.spec import load

CORPUS = Path(__file__).with_name("corpus")
CASES = sorted(CORPUS.glob("*.yaml"))
_EXPECTED = re.compile(r"# (?P<above>\^ )?(?P<severity>error|warning)\[(?P<code>[EW]\d{3})\]: (?P<text>.*?)(?=  # |$)")
_OPTIONS = re.compile(r"^# options: (.*?)(?:  # |$)", re.MULTILINE)

Expected = tuple[int, str, str, str]
"""Line, severity, code and a part of the message."""


def text_of(path: Path) -> str:
    """The text of a case; bytes that are not UTF-8 are replaced."""
    return path.read_bytes().decode("utf-8", "replace")


def expected(path: Path) -> list[Expected]:
    """What a case expects."""
    found = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text_of(path)), 1):
        for one in _EXPECTED.finditer(line):
            place = number - 1 if one["above"] else number
            found.append((place, one["severity"], one["code"], one["text"].strip()))
    return found


def copy_to(folder: Path, path: Path) -> None:
    """Copy the case without its expectations; line numbers stay the same."""
    said = re.compile(rb"(?m)(?:  )?# (?:\^ )?(?:error|warning)\[[EW]\d{3}\]: [^\r\n]*")
    (folder / path.name).write_bytes(said.sub(b"", path.read_bytes()))
    shutil.copytree(CORPUS / "files", folder / "files")


def found_in(path: Path) -> tuple[Diagnostic, ...]:
    """What `archspec check` says of a case in the current folder, by the options that it names."""
    words = shlex.split(named[1]) if (named := _OPTIONS.search(text_of(path))) else []
    overrides = [value for word, value in pairwise(words) if word == "--set"]
    paths = [value for word, value in pairwise(words) if word == "--expose"]
    try:
        spec = exposed(load(Path(path.name), set=overrides, reduced="--reduced" in words), paths)
        return check(spec).diagnostics
    except SpecError as error:
        return error.diagnostics


def line_of(found: Diagnostic, path: Path) -> int:
    """The line of a case where a diagnostic is expected."""
    place = found.primary
    return 1 if place is None or place.span.source.name != path.name else place.span.line


def differences(path: Path, found: Iterable[Diagnostic]) -> list[str]:
    """What is missing and what is not expected."""
    open_, unexpected = expected(path), []
    for one in found:
        line = line_of(one, path)
        match = next((e for e in open_ if e[:3] == (line, one.severity, one.code) and e[3] in one.message), None)
        if match is None:
            unexpected.append(f"not expected: line {line}: {one.severity}[{one.code}]: {one.message}")
        else:
            open_.remove(match)
    return [*(f"missing: line {line}: {severity}[{code}]: {text}" for line, severity, code, text in open_), *unexpected]
