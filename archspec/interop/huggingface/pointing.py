"""Errors of an imported spec at the keys of the configuration that cause them, not in the shipped spec behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from archspec.diagnostics import Diagnostic, Label, Span, SpecError
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import MapNode

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


def at_keys(error: SpecError, tree: MapNode, base: str) -> SpecError:
    """An error of a changed document, whose places in the base are those of the configuration that changed it.

    Args:
        error: what is wrong with the document.
        tree: the document, whose constants stand where they were said.
        base: the name of the shipped spec that was changed.

    Returns:
        the error with every message at the first constant that its place names, and that the configuration says, and
        at no place of the shipped spec, whose sizes are others. Where there is none the place stays, with a note.
    """
    constants = tree.get("constants")
    entries = constants.entries if isinstance(constants, MapNode) else ()
    said = {one.key.value: one.value.span for one in entries if not _is_shipped(one.value.span)}
    return SpecError(_pointed(one, said, base) for one in error.diagnostics)


def _pointed(found: Diagnostic, said: Mapping[str, Span], base: str) -> Diagnostic:
    if found.primary is None or not _is_shipped(found.primary.span):
        return found
    place = next((said[word] for word in _WORD.findall(found.primary.span.text) if word in said), None)
    if place is None:
        return replace(found, notes=(*found.notes, f"the configuration makes this of the shipped spec `{base}`"))
    others = tuple(one for one in found.secondary if not _is_shipped(one.span))
    return replace(found, primary=Label(place), secondary=others)


def _is_shipped(span: Span) -> bool:
    return span.source.name.startswith(str(shipped_specs_dir()))
