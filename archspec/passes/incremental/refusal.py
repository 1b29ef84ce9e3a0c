"""Refusing to decode in steps: the node that bars it, and why."""

from __future__ import annotations

from archspec.diagnostics import Diagnostic, Label, SpecError
from archspec.ir.graph import Node


def refusal(node: Node | None, reason: str) -> SpecError:
    """SpecError E748 at a node, to be raised for what bars decoding in steps."""
    path = "" if node is None or not node.path else f"`{node.path}`: "
    primary = None if node is None or node.span is None else Label(node.span)
    help = "generation runs the full forward at each step instead"
    return SpecError([Diagnostic(code="E748", message=f"{path}{reason}", primary=primary, help=help)])
