"""Where in the model a node of an exported network came from."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from archspec.diagnostics import Diagnostic, SpecError
from archspec.record import record

SCOPES = "pkg.torch.onnx.name_scopes"
"""The metadata of a node that the exporter writes: the modules that it stands in, and the traced operation."""
_WORD = re.compile(r"[\w.]+")


@record
class Placed(Diagnostic):
    """A diagnostic about a node. `scopes` are paths of the modules that it came from, outermost first, and last the
    name of the traced operation."""

    scopes: tuple[str, ...]


def placed(error: SpecError, onnx: Path) -> SpecError:
    """The error with the place of the first node that each of its diagnostics names, where one does."""
    known = scopes_of(onnx)
    return SpecError([_placed(diagnostic, known) for diagnostic in error.diagnostics])


def scopes_of(onnx: Path) -> dict[str, tuple[str, ...]]:
    """The scopes of every node of a file by the node's name; nothing for a file that is no network."""
    from google.protobuf.message import DecodeError
    from onnx import load

    try:
        model = load(str(onnx), load_external_data=False)
    except DecodeError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for node in model.graph.node:
        for entry in node.metadata_props:
            if entry.key == SCOPES:
                found[node.name] = tuple(str(one) for one in ast.literal_eval(entry.value))
    return found


def _placed(diagnostic: Diagnostic, known: Mapping[str, tuple[str, ...]]) -> Diagnostic:
    text = " ".join((diagnostic.message, *diagnostic.notes))
    name = next((word for word in _WORD.findall(text) if word in known), None)
    if name is None:
        return diagnostic
    scopes = known[name]
    module = next((scope for scope in reversed(scopes[:-1]) if scope), "the model itself")
    notes = (*diagnostic.notes, f"the node `{name}` came from `{module}`")
    return Placed(
        code=diagnostic.code, message=diagnostic.message, notes=notes, help=diagnostic.help, scopes=known[name]
    )
