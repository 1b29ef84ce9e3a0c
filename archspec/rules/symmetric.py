"""Rules on symmetry: proved by how every op moves, violated by a measured witness, or unknown."""

from __future__ import annotations

from abc import abstractmethod

from archspec.analyses.shift import Shifts
from archspec.diagnostics import Diagnostic, Label
from archspec.ir.graph import Graph, Node
from archspec.ir.motion import Everywhere, Motion, Move, Moves
from archspec.rules.evidence import Evidence
from archspec.rules.explain import node_text, sizes_text
from archspec.rules.kind import Kind
from archspec.rules.moves import moved_input, trials
from archspec.rules.refuted import broken_at, entry, refuted
from archspec.rules.verdict import Verdict
from archspec.spec import Rule


class SymmetricKind(Kind):
    """A kind that says how an output changes when its input is moved by multiples of a stride."""

    @abstractmethod
    def circular(self, rule: Rule) -> bool:
        """Whether the input moves cyclically, so that the rule is about every output position."""

    @abstractmethod
    def against(self, rule: Rule, motion: Motion) -> str | None:
        """Why a motion of the output that is not broken is not the rule's, in words; None if it is."""

    def _motion(self, rule: Rule, evidence: Evidence) -> tuple[Motion, Node | None, str]:
        """How the output moves, and what breaks that: a node, and in words what it does; empty if nothing does."""
        found = evidence.shifts(rule.input, rule.axes[1][0], _move(rule, self.circular(rule)))
        motion = found.motion(rule.output)
        node, reason = found.where(motion)
        if not reason and (against := self.against(rule, motion)) is not None:
            node, reason = rule.output.producer, against
        return motion, node, reason

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Proved where every op on the way moves with its operands as the rule says."""
        motion, node, reason = self._motion(rule, evidence)
        field = None if self.circular(rule) else motion
        if field is not None and (isinstance(field, Everywhere) or not _has_inside(rule, evidence, field)):
            return _vacuous(rule)
        if not reason:
            return Verdict(rule=rule, status="proved", explanation=self.proved(rule, motion))
        if field is not None and not isinstance(field, Moves):
            # Without the field of the output nothing tells at which positions it must agree.
            return _unknown(rule, node, reason)
        return _short(rule, evidence, field if isinstance(field, Moves) else None, node, reason)

    def proved(self, rule: Rule, motion: Motion) -> str:
        """For which moves and positions a rule is proved."""
        parts = ["at all sizes, for all weights", self.promise(rule)]
        if not self.circular(rule) and isinstance(motion, Moves):
            extent = motion.high - motion.low + 1
            inside = "the one position of the field is" if extent == 1 else f"all {extent} positions of the field are"
            parts.append(f"where {inside} inside")
        return ", ".join(part for part in parts if part)

    def promise(self, rule: Rule) -> str:
        """The output positions that the rule is about, where these are not all."""
        at = getattr(rule.fields, "promised", None)
        return "" if at is None else f"at output positions where {at}"


def motion_of(graph: Graph, rule: Rule, circular: bool) -> Motion:
    """How the output of a rule moves in a graph."""
    return Shifts(graph, rule.input, rule.axes[1][0], _move(rule, circular)).motion(rule.output)


def _move(rule: Rule, circular: bool) -> Move:
    (axis,) = rule.axes[1]
    return Move(length=rule.input.type.shape[axis], unit=moved_input(rule), circular=circular)


def _has_inside(rule: Rule, evidence: Evidence, motion: Motion) -> bool:
    """Whether at the largest admitted sizes a position and the one it moves to are inside, or no field is known."""
    if not isinstance(motion, Moves):
        return True
    sizes = {symbol.name: symbol.max for symbol in evidence.spec.dims.values()}
    return any(True for _ in trials(rule, sizes, motion))


def _vacuous(rule: Rule) -> Verdict:
    """The verdict on a rule about positions inside the input, where there are no two."""
    output, source = rule.fields.output, rule.fields.input
    why = (
        f"at no admitted size are the fields of two positions of `{output}`, one moved to the other, inside `{source}`"
    )
    help = "admit larger sizes, name an output with a smaller field, or, without zero padding, write `border: circular`"
    diagnostic = Diagnostic(
        code="E425",
        message=f"`{rule}` says nothing: {why}",
        primary=Label(rule.span),
        help=help,
    )
    return Verdict(rule=rule, status="unknown", explanation=why, diagnostics=(diagnostic,))


def _short(rule: Rule, evidence: Evidence, motion: Moves | None, node: Node | None, reason: str) -> Verdict:
    """The verdict on a rule that is not proved: violated where runs of the graph show it, else unknown."""
    # Imported late: a rule that is proved needs no run.
    from archspec.rules.moved_run import witness

    found = witness(evidence.spec, rule, motion, evidence.terms)
    if found is None:
        return _unknown(rule, node, reason)
    told = f"{entry(rule, found.at)} is {found.found:.4g}, expected {found.expected:.4g}"
    moved = f"`{rule.fields.input}` moved by {found.trial.by} along axis {rule.axes[1][0]}"
    notes = (
        f"{moved}; sizes: {sizes_text(found.sizes)}",
        f"measured with random weights in float64: it is off by up to {found.largest:.2g} of its largest value",
    )
    return refuted(rule, node, _at(rule, node, reason), told, notes)


def _unknown(rule: Rule, node: Node | None, reason: str) -> Verdict:
    """The verdict on a rule that is not proved, and that no run refutes."""
    primary, secondary = broken_at(rule, node, _at(rule, node, reason))
    notes = ("no counterexample was found at the sizes and values that were tried", _at(rule, node, reason))
    message = f"`{rule}` is not proved"
    diagnostic = Diagnostic(
        code="E421", message=message, primary=primary, secondary=secondary, notes=notes[: 1 + (node is None)]
    )
    return Verdict(rule=rule, status="unknown", explanation=_at(rule, node, reason), diagnostics=(diagnostic,))


def _at(rule: Rule, node: Node | None, reason: str) -> str:
    """What breaks the symmetry as a sentence: of a node, or of an output or input of the rule that none computes."""
    if node is not None:
        return f"{node_text(node)} {reason}"
    return f"`{rule.fields.output if rule.output.producer is None else rule.fields.input}` {reason}"
