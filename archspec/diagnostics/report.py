"""Diagnostics as JSON data."""

from __future__ import annotations

from archspec.diagnostics.model import Diagnostic, Label


def to_json(diagnostic: Diagnostic) -> dict[str, object]:
    """The diagnostic as plain data for `--json`.

    Returns a dict with `code`, `severity`, `message`, `file`, `line`, `column`, `end` (the position just after the
    last character), `label`, `secondary` (places of the same form), `notes` and `help`. Lines and columns count
    from 1. `file` is the path of a file, and of a shipped spec its name. For a finding without a place `file`, `line`,
    `column` and `end` are None and `label` is empty.
    """
    nowhere: dict[str, object] = {"file": None, "line": None, "column": None, "end": None, "label": ""}
    place = nowhere if diagnostic.primary is None else _place(diagnostic.primary)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **place,
        "secondary": [_place(label) for label in diagnostic.secondary],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
    }


def _place(label: Label) -> dict[str, object]:
    """The place and the text of a label as plain data."""
    span = label.span
    return {
        "file": span.source.shown,
        "line": span.line,
        "column": span.column,
        "end": {"line": span.end_line, "column": span.end_column},
        "label": label.text,
    }
