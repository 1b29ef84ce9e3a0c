"""The common namespace of constants, dims, inputs and nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archspec.diagnostics import Collector, Label, Span
from archspec.masks.registry import atoms
from archspec.text.nodes import MapNode, TextNode
from archspec.text.reserved import RESERVED

SECTIONS = {"constants": "a constant", "dims": "a dim", "inputs": "an input", "graph": "a node"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_names(tree: MapNode, errors: Collector, sections: Mapping[str, str] = SECTIONS) -> dict[str, Span]:
    """Where each name is defined; errors of names are collected.

    E209 for a name that two sections define, E210 for a reserved word, E223 for a text that is not a name. `sections`
    gives, by section, what messages call its names.
    """
    places: dict[str, Span] = {}
    what: dict[str, str] = {}
    for section, kind in sections.items():
        found = tree.get(section)
        for entry in found.entries if isinstance(found, MapNode) else ():
            name = entry.key.value
            if name in places:
                # The first definition keeps the name, so that all later messages point at the same place.
                _clash(entry.key, kind, what[name], places[name], errors)
                continue
            _check(entry.key, kind, errors)
            places[name], what[name] = entry.key.span, kind
    return places


def _check(key: TextNode, kind: str, errors: Collector) -> None:
    """Collect E223 for a text that is not a name, E210 for a reserved word."""
    if not _NAME.fullmatch(key.value):
        help = "use letters, digits and `_`, a letter first"
        errors.error("E223", f"`{key.value}` cannot name {kind}", key.span, help=help)
    elif key.value in RESERVED or key.value in atoms():
        errors.error("E210", f"`{key.value}` is a reserved word", key.span, help="choose another name")


def _clash(key: TextNode, kind: str, other: str, place: Span, errors: Collector) -> None:
    errors.error(
        "E209",
        f"`{key.value}` names both {other} and {kind}",
        key.span,
        secondary=[Label(place, other)],
        help="rename one: constants, dims, inputs and nodes share one namespace",
    )
