"""Find the part of the model from which a node of an exported network came."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from archspec.diagnostics import Diagnostic, SpecError
from archspec.record import record

SCOPES = "pkg.torch.onnx.name_scopes"
"""The metadata that the exporter writes for a node: the modules that contain it, and the traced operation."""
_WORD = re.compile(r"[\w.]+")


@record
class Placed(Diagnostic):
    """A diagnostic about a node.

    `scopes` are the paths of the modules it came from, outermost first, and last the name of the traced operation.
    """

    scopes: tuple[str, ...]


def placed(error: SpecError, onnx: Path) -> SpecError:
    """Return the error with each diagnostic placed at the first node that it names; others are unchanged.

    `onnx` is the file with the nodes.
    """
    known = scopes_of(onnx)
    return SpecError([_placed(diagnostic, known) for diagnostic in error.diagnostics])


def scopes_of(onnx: Path) -> dict[str, tuple[str, ...]]:
    """Return the scopes of every node of an ONNX file by the node's name.

    Nothing is returned if the file is not ONNX, such as a program of torch.export.
    """
    from google.protobuf.message import DecodeError
    from onnx import load

    try:
        # Only names are needed, and external weights may be large.
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
    """Return a diagnostic with the scopes of the first known node in its text."""
    text = " ".join((diagnostic.message, *diagnostic.notes))
    name = next((word for word in _WORD.findall(text) if word in known), None)
    if name is None:
        return diagnostic
    scopes = known[name]
    # The last scope is the traced operation, and the model itself has an empty one.
    module = next((scope for scope in reversed(scopes[:-1]) if scope), "the model itself")
    notes = (*diagnostic.notes, f"the node `{name}` came from `{module}`")
    return Placed(
        code=diagnostic.code, message=diagnostic.message, notes=notes, help=diagnostic.help, scopes=known[name]
    )
