"""What a spec should state and does not: the order in which its masks let tokens see, and what its mask inputs hide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

from archspec.diagnostics import Diagnostic, Label
from archspec.ir.graph import Node, Value
from archspec.ir.types import DType
from archspec.masks.atom import MaskAtom
from archspec.masks.atoms.causal import Causal
from archspec.masks.leaf import ControlUse
from archspec.masks.mask import Mask
from archspec.masks.walk import controls, joined_by_or, leaves, text
from archspec.ops.attention.attention import Attention
from archspec.ops.linear.embedding import Embedding
from archspec.record import record
from archspec.relation.atoms import identity
from archspec.rules.flow import Dependence
from archspec.rules.gates import gates, reached_through
from archspec.rules.kind import rule_kinds
from archspec.rules.promises import Promises
from archspec.rules.prove import avoids, within
from archspec.rules.reads import keys
from archspec.rules.target import Inexpressible, carries, hidden_by, last_axis, masked, one_segment
from archspec.rules.terms import Term
from archspec.spec import Rule, Spec


@record
class _Way:
    """How a rule states that a control hides positions: where it is true or false; for segments, all others."""

    rule: str
    says: str
    hidden_if: bool | None


@record
class _Hiding:
    """A way in which positions of a value are hidden, and the value that marks them."""

    way: _Way
    source: Value
    mark: Value


_SEGMENTS = _Way(rule="segments", says="by: ", hidden_if=None)
_WHERE_FALSE = _Way(rule="ignores", says="where: not ", hidden_if=False)
_WHERE_TRUE = _Way(rule="ignores", says="where: ", hidden_if=True)


def unstated(spec: Spec, dependence: Dependence, promises: Promises) -> tuple[Diagnostic, ...]:
    """Warnings about inputs that the rules should mention.

    W420 for tokens whose positions see each other in an order, or without a mask that says how; W421 for a mask input
    (bool, or segments) whose effect on an output no rule states; W422 for one that hides nothing, neither of an input
    nor of an inner value through which the output reads all inputs, unless a mask reads it in an alternative to other
    terms.
    """
    return tuple(_Search(spec, dependence, promises).run())


def _controls(node: Node) -> tuple[Value, ...]:
    """The controls of the mask of an attention node."""
    assert isinstance(node.op, Attention)
    return tuple(node.inputs[node.op.first :])


def _uses(mask: Mask) -> Iterator[ControlUse]:
    for leaf in leaves(mask):
        if isinstance(leaf, MaskAtom):
            yield from leaf.uses()


class _Search:
    """The search for warnings in one spec."""

    def __init__(self, spec: Spec, dependence: Dependence, promises: Promises) -> None:
        self.spec = spec
        self.dependence = dependence
        self.terms = dependence.reads.terms
        self.promises = promises
        self.inputs = [value for value in spec.graph.inputs if value.name in spec.inputs]
        # The shortest of its names is what a user would call a value.
        named = sorted(spec.values.items(), key=lambda pair: -len(pair[0]))
        self.names = {value: name for name, value in named}
        self.attentions = [node for node in spec.graph.walk() if isinstance(node.op, Attention)]

    def run(self) -> Iterator[Diagnostic]:
        """All warnings, input by input in the declared order."""
        tokens, segments = self._tokens(), self._segments()
        for value in self.inputs:
            if value in tokens and value.type.rank > 1:
                yield from self._order(value)
            if value.type.rank and (value.type.dtype is DType.BOOL or value in segments):
                yield from self._effect(value, value in segments)

    def _leaves(self, *terms: Term | None) -> set[Value]:
        """The inputs that some terms are computed from."""
        found = {leaf for term in terms if term is not None for leaf in term.leaves()}
        return {value for value in self.inputs if self.terms.of(value) in found}

    def _tokens(self) -> set[Value]:
        """Inputs that index the rows of a token table."""
        nodes = (node for node in self.spec.graph.walk() if isinstance(node.op, Embedding))
        tables = (node for node in nodes if node.parameters["table"].path.rpartition(".")[2] == "table")
        return self._leaves(*(self.terms.of(node.inputs[0]) for node in tables))

    def _segments(self) -> set[Value]:
        """Inputs that number segments: declared sorted, or read by a mask at both the query and the key."""
        found = {value for value in self.inputs if self.spec.inputs[value.name].sorted}
        for node, mask in self._masks():
            controls = [use.control for use in _uses(mask) if use.at == ("query", "key")]
            found |= self._leaves(*(self.terms.of(_controls(node)[control]) for control in controls))
        return found

    def _masks(self) -> Iterator[tuple[Node, Mask]]:
        """Every attention node with its mask."""
        for node in self.attentions:
            assert isinstance(node.op, Attention)
            yield node, node.op.mask

    def _alternatives(self) -> set[Value]:
        """Inputs that masks read in one of several terms joined by `|`."""
        found: set[Value] = set()
        for node, mask in self._masks():
            terms = (self.terms.of(_controls(node)[control]) for control in controls(joined_by_or(mask)))
            found |= self._leaves(*terms)
        return found

    def _outputs(self, source: Value) -> list[tuple[str, Value]]:
        """The outputs that depend on an input, by name."""
        named = zip(self.spec.graph.output_names, self.spec.graph.outputs, strict=True)
        return [(name, value) for name, value in named if self.dependence.relation(value, source).atoms]

    def _rules(self, output: Value) -> Iterator[Rule]:
        """The rules about an output."""
        return (rule for rule in self.spec.rules if rule.output is output)

    def _order(self, tokens: Value) -> Iterator[Diagnostic]:
        """W420 for outputs whose order of dependence on the tokens no rule states."""
        over = [pair for pair in self._masks() if pair[0].inputs[1].type.shape[2] == tokens.type.shape[-1]]
        ordered = [(node, mask) for node, mask in over if any(leaf.implies_causal for leaf in leaves(mask))]
        if over and not ordered:
            return
        for name, output in self._outputs(tokens):
            # Any rule on the order will do: whether it holds is judged elsewhere.
            stated = any(rule_kinds()[rule.kind].orders and rule.input is tokens for rule in self._rules(output))
            if stated or not carries(output, tokens) or self._stays(output, tokens):
                continue
            why = (
                f"a mask lets `{tokens.name}` attend in one direction only"
                if ordered
                else f"no mask is over `{tokens.name}`"
            )
            help = self._ordering_rule(name, output, tokens, ordered)
            yield self._warning("W420", f"no rule says which `{tokens.name}` each `{name}` may see", tokens, help, why)

    def _stays(self, output: Value, tokens: Value) -> bool:
        """Whether every position depends only on itself."""
        out, inp = output.type.space, tokens.type.space
        return within(self.dependence.relation(output, tokens), identity(len(inp)), out, inp, self.promises)

    def _ordering_rule(self, name: str, output: Value, tokens: Value, ordered: list[tuple[Node, Mask]]) -> str:
        """The rule to suggest: `causal` where it is proved, else what the masks indicate."""
        where = f"output: {name}, input: {tokens.name}"
        causal = f"- causal: {{{where}}}"
        if self._proved(Causal(), (), output, tokens):
            return causal
        for node, mask in ordered:
            if any(leaf.opens_prefix for leaf in leaves(mask)):
                terms = [self.terms.of(control) for control in _controls(node)]
                names = [term.text if term else "" for term in terms]
                return f"- within: {{{where}, mask: {text(mask, names)}}}"
        return causal if ordered else f"- sees: {{{where}}}"

    def _proved(self, mask: Mask, controls: tuple[Value, ...], output: Value, source: Value) -> bool:
        """Whether the mask is proved to bound an output's dependence on an input."""
        try:
            axes = last_axis(output, source), last_axis(source, source)
            wanted = masked(mask, controls, output, source, axes, self.terms)
        except Inexpressible:
            return False
        found = self.dependence.relation(output, source)
        return within(found, wanted, output.type.space, source.type.space, self.promises)

    def _effect(self, control: Value, segments: bool) -> Iterator[Diagnostic]:
        """W421 or W422 for a mask input whose effect no rule states, or which has none."""
        sources = [value for value in self.inputs if value is not control and carries(value, control)]
        pairs = [(output, source) for source in sources for _, output in self._outputs(source)]
        reading = {output: [source for other, source in pairs if other is output] for output, _ in pairs}
        silent = [output for output, sources in reading.items() if not self._stated(control, output, sources)]
        if not silent:
            return
        ways = [_SEGMENTS] if segments else [_WHERE_FALSE, _WHERE_TRUE]
        found = {output: self._hiding(control, ways, output, reading[output]) for output in silent}
        proved = [one for one in found.values() if one is not None]
        if not proved and len(silent) == len(reading):
            yield from self._without_effect(control, segments)
            return
        way = proved[0].way if proved else ways[0]
        for output in silent:
            hiding = found[output] or _Hiding(way=way, source=reading[output][0], mark=control)
            yield self._unstated_effect(control, output, hiding)

    def _unstated_effect(self, control: Value, output: Value, hiding: _Hiding) -> Diagnostic:
        """W421 for a mask input, with the rule that states how it hides positions from an output."""
        name = next(
            n for n, y in zip(self.spec.graph.output_names, self.spec.graph.outputs, strict=True) if y is output
        )
        source, mark = self.names[hiding.source], self.names[hiding.mark]
        rule = f"- {hiding.way.rule}: {{output: {name}, input: {source}, {hiding.way.says}{mark}}}"
        note = (
            "" if hiding.source in self.inputs else f"positions are mixed before `{source}`, and hidden from there on"
        )
        return self._warning("W421", f"no rule says what `{control.name}` hides from `{name}`", control, rule, note)

    def _without_effect(self, control: Value, segments: bool) -> Iterator[Diagnostic]:
        """W422 for a mask input that is not proved to hide anything."""
        # What it does not admit another term of the mask may: that is what `|` is for.
        if control not in self._alternatives():
            help = f"write `{'same_segment' if segments else 'key_valid'}({control.name})` in the masks, or remove it"
            why = "no mask keeps the positions that it marks from reaching an output"
            yield self._warning("W422", f"`{control.name}` hides nothing", control, help, why)

    def _stated(self, control: Value, output: Value, sources: list[Value]) -> bool:
        """Whether rules say what a control hides from an output.

        A rule about an input says it. Rules about inner values say it together if `sources`, the inputs that the output
        reads, reach it by way of these values alone, and masks by the control come behind them.
        """
        said = {rule.input for rule in self._rules(output) if self._speaks(rule, control)}
        if not said.isdisjoint(self.inputs):
            return True
        masked = {value for value in said if self._is_masked(control, output, value)}
        return reached_through(self.spec.graph, sources, output, masked)

    def _is_masked(self, control: Value, output: Value, source: Value) -> bool:
        """Whether the control restricts what an output reads of a value: positions that stay apart need no mask."""
        found = self.dependence.relation(output, source)
        return control in self._leaves(*(term for atom in found.atoms for term in keys(atom)))

    def _hiding(self, control: Value, ways: list[_Way], output: Value, sources: list[Value]) -> _Hiding | None:
        """What a control is proved to hide from an output: of an input, else of the first inner value that will do."""
        tried = chain(product(ways, sources, (control,)), self._inner(control, ways, output, sources))
        hidden = (_Hiding(way=w, source=s, mark=m) for w, s, m in tried if self._hides(m, w, output, s))
        return next(hidden, None)

    def _inner(
        self, control: Value, ways: list[_Way], output: Value, sources: list[Value]
    ) -> Iterator[tuple[_Way, Value, Value]]:
        """The ways to hide positions of inner values through which an output reads all inputs.

        Nodes that mix positions before a mask hides them leave no rule about an input that holds.
        """
        marks = [
            y for y in self.names if y.type.dtype is control.type.dtype and control in self._leaves(*self._terms(y))
        ]
        for source in gates(self.spec.graph, sources, output):
            if source in self.names and self._is_masked(control, output, source):
                yield from ((way, source, mark) for mark in marks for way in ways if carries(source, mark))

    def _speaks(self, rule: Rule, control: Value) -> bool:
        """Whether a rule of a kind that can state what is hidden mentions a control."""
        if not rule_kinds()[rule.kind].hides:
            return False
        named = (rule.where, rule.at, rule.by, rule.valid, *rule.controls)
        known = [literals for value in named if value is not None and (literals := self._terms(value))]
        return control in self._leaves(*(term for terms in known for term in terms))

    def _terms(self, value: Value) -> tuple[Term, ...]:
        """The terms that a value is made of: its literals if it is bool."""
        if value.type.dtype is not DType.BOOL:
            term = self.terms.of(value)
            return () if term is None else (term,)
        return tuple(literal.term for literal in self.terms.literals(value) or ())

    def _hides(self, control: Value, way: _Way, output: Value, source: Value) -> bool:
        """Whether the control is proved to keep part of an input from an output."""
        found = self.dependence.relation(output, source)
        out, inp = output.type.space, source.type.space
        try:
            if way.hidden_if is None:
                axes = last_axis(output, control), last_axis(source, control)
                wanted = one_segment(control, output, source, axes, self.terms)
                return within(found, wanted, out, inp, self.promises)
            clauses = hidden_by(control, way.hidden_if, output, source, self.terms)
            return avoids(found, clauses, out, inp, self.promises)
        except Inexpressible:
            return False

    def _warning(self, code: str, message: str, about: Value, rule: str, note: str = "") -> Diagnostic:
        """A warning at the declaration of an input."""
        help = f"add `{rule}` to `rules`" if rule.startswith("- ") else rule
        return Diagnostic(
            code=code,
            severity="warning",
            message=message,
            primary=Label(self.spec.inputs[about.name].span),
            notes=(note,) if note else (),
            help=help,
        )
