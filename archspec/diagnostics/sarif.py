"""Diagnostics as a SARIF 2.1.0 log, which code hosts and editors show next to the lines.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from urllib.parse import quote

from archspec.diagnostics.codes import CODES
from archspec.diagnostics.explain import explain
from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.source import Source, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def to_sarif(diagnostics: Iterable[Diagnostic], *, file: str, version: str) -> dict[str, object]:
    """A SARIF log of one run over one file; see `sarif_of`."""
    return sarif_of([(file, diagnostics)], version=version)


def sarif_of(checked: Iterable[tuple[str, Iterable[Diagnostic]]], *, version: str) -> dict[str, object]:
    """A SARIF log of one run. Paths are relative to the current folder, which is the root of the sources.

    Args:
        checked: the files that were checked, each with its findings; those without a file of the user's, such as those
            of `--set` and of shipped specs, get its first line.
        version: the version of this program.

    Returns:
        the log as JSON data. Columns count UTF-16 code units, the default of SARIF readers.
    """
    # Files that extend one another find the same in their parent.
    found = {one if _has_file(one) else (one, file): (one, file) for file, several in checked for one in several}
    codes = sorted({one.code for one, _ in found.values()})
    run: dict[str, object] = {
        "tool": {"driver": {"name": "archspec", "version": version, "rules": [_rule(code) for code in codes]}},
        # Said, because `_column` counts so and readers differ in what they assume.
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path.cwd().as_uri()}/"}},
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(one, codes.index(one.code), file) for one, file in found.values()],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _has_file(found: Diagnostic) -> bool:
    return found.primary is not None and _is_users(found.primary.span.source)


def _is_users(source: Source) -> bool:
    """Whether a text is a file of the user's: a shipped spec is in no repository that a log is about."""
    return source.is_file and not source.called


def _rule(code: str) -> dict[str, object]:
    """The SARIF rule of a code; its help text is the page of the code."""
    page, title = explain(code), CODES[code].title
    first = page.partition("\n\n")[2].partition("\n## ")[0]
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in title.replace("-", " ").replace("'", "").split()),
        "shortDescription": {"text": title},
        "fullDescription": {"text": " ".join(first.split())},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": "warning" if code.startswith("W") else "error"},
        "properties": {"tags": [CODES[code].family]},
    }


def _result(found: Diagnostic, rule: int, file: str) -> dict[str, object]:
    """The SARIF result of a diagnostic; notes and help are appended to its message."""
    text = [found.message, *(f"note: {note}" for note in found.notes), *([f"help: {found.help}"] if found.help else [])]
    primary = found.primary
    # Every result gets a location in a file: one without gets the first line of the checked file.
    if primary is None or not _is_users(primary.span.source):
        if primary is not None:
            text.insert(1, f"in `{_elsewhere(primary.span)}`")
        primary = Label(Source(file, "").span(0, 0))
    related = [
        {"id": number, **_location(label)}
        for number, label in enumerate((one for one in found.secondary if _is_users(one.span.source)), 1)
    ]
    result: dict[str, object] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": found.severity,
        "message": {"text": "\n".join(text)},
        "locations": [_location(primary)],
    }
    return {**result, "relatedLocations": related} if related else result


def _elsewhere(span: Span) -> str:
    """A place that is in no file of the user's: an option as it was given, a line of a shipped spec."""
    source = span.source
    return f"{source.shown}:{span.line}" if source.is_file else f"{source.name} {source.text}"


def _location(label: Label) -> dict[str, object]:
    """The SARIF location of a label."""
    place = {"artifactLocation": _artifact(label.span.source.name), "region": _region(label.span)}
    message = {"message": {"text": label.text}} if label.text else {}
    return {"physicalLocation": place, **message}


def _artifact(name: str) -> dict[str, str]:
    """A file by its path from the current folder; one outside of it by its whole path."""
    path, root = Path(name).absolute(), Path.cwd()
    if path.is_relative_to(root):
        return {"uri": quote(PurePath(path.relative_to(root)).as_posix()), "uriBaseId": _ROOT}
    return {"uri": path.as_uri()}


def _region(span: Span) -> dict[str, int]:
    """Lines and columns from 1; the end column is the one after the last character."""
    return {
        "startLine": span.line,
        "startColumn": _column(span.source, span.line, span.column),
        "endLine": span.end_line,
        "endColumn": _column(span.source, span.end_line, span.end_column),
    }


def _column(source: Source, line: int, column: int) -> int:
    """A column in UTF-16 code units: a character beyond the basic plane takes two."""
    before = source.line_text(line)[: column - 1]
    # A lone surrogate may be what the diagnostic is about.
    return 1 + len(before.encode("utf-16-le", "surrogatepass")) // 2
