"""Short texts for verdicts, and the diagnostics of rules that are not proved."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.diagnostics import Diagnostic, Label
from archspec.ir.graph import Node
from archspec.rules.independence import Independent
from archspec.spec import Rule

UNCONFIRMED = "declared reads lead there, but no run of the graph confirms it"
"""The explanation of an unknown verdict where the search has found a path and no replay shows a change."""


def sizes_text(sizes: Mapping[str, int]) -> str:
    """Sizes of dims as a list: `batch = 2, length = 4`."""
    return ", ".join(f"{name} = {size}" for name, size in sizes.items()) or "the only admitted size"


def node_text(node: Node) -> str:
    """A node in words: its path, or its op where it has none."""
    return f"`{node.path}`" if node.path else f"the node `{node.op.name}`"


def open_question(rule: Rule | Independent, node: Node | None, reason: str = "") -> Diagnostic:
    """E421 for a rule that is neither proved nor refuted.

    `node` is where precision is lost, if that is known; `reason` is a further note.
    """
    span = rule.span if isinstance(rule, Rule) else None
    notes = ("no counterexample was found at the sizes and values that were tried", *([reason] if reason else []))
    message = f"`{rule}` is not proved"
    if node is None or node.span is None:
        return Diagnostic(code="E421", message=message, primary=None if span is None else Label(span), notes=notes)
    return Diagnostic(
        code="E421",
        message=message,
        primary=Label(node.span, f"from this node on, the bound on what is read is too loose: {node_text(node)}"),
        secondary=() if span is None else (Label(span, "the rule"),),
        notes=notes,
    )
