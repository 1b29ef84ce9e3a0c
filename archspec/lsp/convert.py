"""Answers as the types of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lsprotocol import types

from archspec.editing.completion import Completion
from archspec.editing.findings import TextFinding
from archspec.editing.fixes import Fix
from archspec.editing.hints import Hint
from archspec.editing.hover import Hover
from archspec.editing.outline import Item
from archspec.editing.places import Extent, Position, Spot
from archspec.editing.rename import Edit

ToUri = Callable[[str], str]
_SYMBOLS = {
    "section": types.SymbolKind.Namespace,
    "constant": types.SymbolKind.Constant,
    "dim": types.SymbolKind.Variable,
    "input": types.SymbolKind.Interface,
    "node": types.SymbolKind.Object,
    "part": types.SymbolKind.Object,
    "output": types.SymbolKind.Event,
    "block": types.SymbolKind.Class,
    "field": types.SymbolKind.Field,
    "rule": types.SymbolKind.Operator,
    "layout": types.SymbolKind.Package,
}
_COMPLETIONS = {
    "field": types.CompletionItemKind.Property,
    "word": types.CompletionItemKind.EnumMember,
    "block": types.CompletionItemKind.Class,
    "value": types.CompletionItemKind.Variable,
    "number": types.CompletionItemKind.Constant,
    "type": types.CompletionItemKind.TypeParameter,
    "mask": types.CompletionItemKind.Function,
    "function": types.CompletionItemKind.Function,
    "file": types.CompletionItemKind.File,
    "rule": types.CompletionItemKind.Operator,
}
_SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}


def place_of(position: types.Position) -> Position:
    """A place from a position in UTF-16, the encoding that this server asks for."""
    return Position(position.line, position.character)


def extent_of(found: types.Range) -> Extent:
    """An extent from a range."""
    return Extent(place_of(found.start), place_of(found.end))


def to_range(extent: Extent) -> types.Range:
    """The range of an extent."""
    return types.Range(_position(extent.start), _position(extent.end))


def _position(place: Position) -> types.Position:
    return types.Position(place.line, place.character)


def location(spot: Spot, to_uri: ToUri) -> types.Location:
    """A place in a file."""
    return types.Location(to_uri(spot.file), to_range(spot.extent))


def diagnostic(finding: TextFinding, to_uri: ToUri) -> types.Diagnostic:
    """A finding, with its other places as related information."""
    related = [types.DiagnosticRelatedInformation(location(spot, to_uri), text) for spot, text in finding.related]
    is_idle = finding.code in ("W201", "E213")
    return types.Diagnostic(
        range=to_range(finding.extent),
        severity=_SEVERITIES[finding.severity],
        code=finding.code,
        source="archspec",
        message=finding.message,
        related_information=related or None,
        tags=[types.DiagnosticTag.Unnecessary] if is_idle else None,
    )


def failure(error: Exception) -> types.Diagnostic:
    """What stands at the top of a document whose check failed."""
    return types.Diagnostic(
        range=types.Range(types.Position(0, 0), types.Position(0, 0)),
        severity=types.DiagnosticSeverity.Error,
        source="archspec",
        message=f"archspec failed to check this text, which is a fault of archspec: {error!r}",
    )


def hover(found: Hover) -> types.Hover:
    """What is told of a text."""
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found.text), to_range(found.extent))


def completions(found: Sequence[Completion]) -> types.CompletionList:
    """What may be written, in the order in which it was found."""
    items = [
        types.CompletionItem(
            label=one.label,
            kind=_COMPLETIONS[one.kind],
            detail=one.detail or None,
            documentation=one.about or None,
            sort_text=f"{number:05}",
            text_edit=types.TextEdit(to_range(one.extent), one.text),
        )
        for number, one in enumerate(found)
    ]
    return types.CompletionList(is_incomplete=False, items=items)


def symbol(item: Item) -> types.DocumentSymbol:
    """A line of the outline."""
    return types.DocumentSymbol(
        name=item.name or "?",
        detail=item.detail or None,
        kind=_SYMBOLS[item.kind],
        range=to_range(item.extent),
        selection_range=to_range(item.selection),
        children=[symbol(one) for one in item.inside],
    )


def hint(found: Hint) -> types.InlayHint:
    """A text beside the written one."""
    return types.InlayHint(_position(found.place), found.text, kind=types.InlayHintKind.Type, padding_left=True)


def workspace_edit(edits: Iterable[Edit], to_uri: ToUri) -> types.WorkspaceEdit:
    """Edits of several files."""
    changes: dict[str, list[types.TextEdit]] = {}
    for one in edits:
        changes.setdefault(to_uri(one.spot.file), []).append(types.TextEdit(to_range(one.spot.extent), one.text))
    return types.WorkspaceEdit(changes=changes)


def action(fix: Fix, uri: str, to_uri: ToUri) -> types.CodeAction:
    """A quick fix of a document."""
    change = types.TextEdit(to_range(fix.extent), fix.text)
    return types.CodeAction(
        title=fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic(fix.finding, to_uri)],
        edit=types.WorkspaceEdit(changes={uri: [change]}),
    )
