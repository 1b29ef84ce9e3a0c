"""The verdict on a rule that a run of the graph refutes, beside the node at which its proof broke."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Diagnostic, Label
from archspec.ir.graph import Node
from archspec.rules.verdict import Verdict
from archspec.spec import Rule


def refuted(rule: Rule, node: Node | None, why: str, found: str, notes: tuple[str, str]) -> Verdict:
    """Violated, as measured: E420.

    Args:
        rule: the rule.
        node: where its proof broke, None if no node is known.
        why: how it broke, with the node in words.
        found: what the run showed of the output.
        notes: the sizes of the run, and how far it is off.
    """
    primary, secondary = broken_at(rule, node, why)
    diagnostic = Diagnostic(
        code="E420",
        message=f"`{rule}` is violated: {found}",
        primary=primary,
        secondary=secondary,
        notes=notes,
    )
    return Verdict(rule=rule, status="violated", explanation=why, diagnostics=(diagnostic,))


def broken_at(rule: Rule, node: Node | None, why: str) -> tuple[Label, tuple[Label, ...]]:
    """The primary and secondary labels: the node at which a proof broke if it has a place in a file, and the rule."""
    if node is None or node.span is None:
        return Label(rule.span), ()
    return Label(node.span, why), (Label(rule.span, "the rule"),)


def entry(rule: Rule, at: Sequence[int]) -> str:
    """An entry of the output in words: `` `states` at [0, 3] ``."""
    return f"`{rule.fields.output}` at [{', '.join(map(str, at))}]"
