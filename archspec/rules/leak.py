"""The verdicts on rules that a witness refutes."""

from __future__ import annotations

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.ops.attention.attention import Attention
from archspec.rules.explain import sizes_text
from archspec.rules.independence import Independent, Pair
from archspec.rules.leaked import LeakPath
from archspec.rules.verdict import Verdict
from archspec.rules.way import Way
from archspec.rules.wiring.path import shortest
from archspec.rules.wiring.search import Witness
from archspec.spec import Rule, Spec


def violation(rule: Rule, witness: Witness, remedy: str | None) -> Verdict:
    """An upper rule that a witness refutes: E420 with the path from the input to the output and the responsible node.

    `remedy` is the help text for the case that this node is an attention.
    """
    way = Way(shortest(witness, rule.output, rule.input), rule.output, rule.input, rule.span)
    output, source = str(rule.fields.output), str(rule.fields.input)
    i, j = way.shown(rule.output, witness.i), way.shown(rule.input, witness.j)
    found = Diagnostic(
        code="E420",
        message=f"`{rule}` is violated: `{output}` at {i} depends on `{source}` at {j}",
        **_places(way, rule.span),  # type: ignore[arg-type]
        notes=(*_world(witness, rule), *way.lines(source)),
        help=remedy if way.culprit is not None and isinstance(way.culprit.node.op, Attention) else None,
    )
    return _violated(rule, found, way.leak(source, output))


def stretch(rule: Rule, near: Witness, far: Witness, told: str) -> Verdict:
    """A rule on a field whose output position depends on two input positions that are too far apart: E420.

    `told` is the field in words.
    """
    way = Way(shortest(far, rule.output, rule.input), rule.output, rule.input, rule.span)
    output, source = str(rule.fields.output), str(rule.fields.input)
    i, first, last = way.shown(rule.output, far.i), way.shown(rule.input, near.j), way.shown(rule.input, far.j)
    note = Diagnostic(
        code="E420",
        message=f"`{rule}` is violated: `{output}` at {i} depends on `{source}` at {first} and at {last}",
        **_places(way, rule.span),  # type: ignore[arg-type]
        notes=(*_world(far, rule), *way.lines(source)),
    )
    return _violated(rule, note, way.leak(source, output), told)


def mixing(spec: Spec, rule: Independent, pair: Pair, witness: Witness) -> Verdict:
    """Rows along a dim that leads inputs, one of which depends on another: E422."""
    way = Way(shortest(witness, pair.output, pair.input), pair.output, pair.input, spec.inputs[pair.input.name].span)
    i, j = way.shown(pair.output, witness.i), way.shown(pair.input, witness.j)
    found = f"`{pair.output_name}` at {i} depends on `{pair.input.name}` at {j}"
    note = Diagnostic(
        code="E422",
        message=f"{rule.dim} rows are not independent: {found}",
        **_places(way, spec.inputs[pair.input.name].span, "the input"),  # type: ignore[arg-type]
        notes=(*_world(witness), *way.lines(pair.input.name)),
        help=f"make every node compute each `{rule.dim}` row separately",
    )
    return _violated(rule, note, way.leak(pair.input.name, pair.output_name))


def not_seen(rule: Rule, witness: Witness) -> Verdict:
    """A lower rule with a demanded pair of positions that nothing connects: E423."""
    # No path exists to be shown: the object only formats positions.
    way = Way((), rule.output, rule.input)
    i, j = way.shown(rule.output, witness.i), way.shown(rule.input, witness.j)
    output, source = rule.fields.output, rule.fields.input
    found = Diagnostic(
        code="E423",
        message=f"`{rule}` is violated: `{output}` at {i} does not depend on `{source}` at {j}",
        primary=Label(rule.span),
        notes=_world(witness, rule),
    )
    return _violated(rule, found, None)


def _violated(rule: Rule | Independent, found: Diagnostic, leak: LeakPath | None, explanation: str = "") -> Verdict:
    return Verdict(rule=rule, status="violated", explanation=explanation, diagnostics=(found,), leak=leak)


def _places(way: Way, rule: Span, what: str = "the rule") -> dict[str, object]:
    """The primary and secondary labels: the responsible node if its location is known, and the rule."""
    step = way.culprit
    if step is None or step.node.span is None:
        return {"primary": Label(rule)}
    at, reads = way.shown(step.node.outputs[0], step.at), way.shown(step.operand, step.reads)
    return {
        "primary": Label(step.node.span, f"`{step.path or step.node.op.name}` reads {reads} for {at}"),
        "secondary": (Label(rule, what),),
    }


def _world(witness: Witness, rule: Rule | None = None) -> tuple[str, ...]:
    """Notes on the sizes of the witness and on the inputs that its controls, and those of the rule, read."""
    reads = witness.wiring.reads
    own = () if rule is None else (*rule.controls, rule.where, rule.at, rule.by)
    named = (reads.terms.of(value) for value in own if value is not None)
    known = [*reads.used(), *(term for term in named if term is not None)]
    read = {leaf for term in known for leaf in term.leaves()}
    # Sorted, because a set of terms has no order of its own.
    values = (
        f"`{term}` is {_nested(*witness.world.inputs[term.text])}"
        for term in sorted(read, key=str)
        if term.text in witness.world.inputs
    )
    return (f"sizes: {sizes_text(witness.world.sizes)}", *values)


def _nested(shape: tuple[int, ...], items: tuple[int, ...]) -> str:
    """The items of a tensor as nested lists in text."""
    if not shape:
        return str(items[0])
    if len(shape) == 1:
        return f"[{', '.join(map(str, items))}]"
    step = len(items) // shape[0] if shape[0] else 0
    return f"[{', '.join(_nested(shape[1:], items[k * step : (k + 1) * step]) for k in range(shape[0]))}]"
