"""Rules of two specs in one vocabulary: when two say the same, and when one implies the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property

from archspec.algebra.dim import compare
from archspec.diff.numbering import ValueNumbers, unordered
from archspec.diff.renames import PathNames
from archspec.diff.sizes import Over
from archspec.ir.graph import Graph, Value
from archspec.record import record
from archspec.relation.atoms import Relation
from archspec.rules.independence import Independent
from archspec.rules.kind import LowerKind, UpperKind, rule_kinds
from archspec.rules.prove import within
from archspec.rules.target import Inexpressible
from archspec.rules.terms import Term, Terms
from archspec.spec import Rule, Spec


@record(eq=False)
class Side:
    """One of two specs: its numbers, its sizes over shared symbols, and the first spec's names of its paths."""

    spec: Spec
    numbering: ValueNumbers
    sizes: Over
    paths: PathNames

    def about(self, rule: Rule) -> Hashable:
        """The output and the input of a rule, under the first spec's names."""
        fields = rule.fields
        return self.paths.before(str(fields.output)), self.paths.before(str(fields.input))

    def key(self, rule: Rule | Independent) -> Hashable:
        """What a rule says; two rules that say the same have one key."""
        if isinstance(rule, Independent):
            return "independent", self.sizes.of(rule.size)
        values = (rule.where, rule.at, rule.by, rule.valid)
        sizes = (rule.at_most, rule.back, rule.ahead)
        return (
            rule.kind,
            self.about(rule),
            rule.axes,
            rule.stride,
            self._mask(rule),
            tuple(None if value is None else self.numbering.of(value) for value in values),
            tuple(None if size is None else self.sizes.of(size) for size in sizes),
            # Words, such as the borders of a symmetry, are in no value of the rule.
            tuple(
                sorted(
                    (name, one)
                    for name in type(rule.fields).model_fields
                    if isinstance(one := getattr(rule.fields, name), str)
                )
            ),
        )

    def _mask(self, rule: Rule) -> Hashable:
        if rule.mask is None:
            return None
        controls = [self.numbering.of(value) for value in rule.controls]
        return unordered(self.numbering.apart(self.sizes.of(rule.mask), controls))

    def promised(self, rule: Rule) -> Hashable:
        """The output positions that a rule is about."""
        return None if rule.at is None else self.numbering.of(rule.at)


@record(eq=False)
class Stated:
    """A rule of one of two specs."""

    rule: Rule
    side: Side


class Implications:
    """Which rules of two specs imply which."""

    def __init__(self, before: Side, after: Side, inputs: Mapping[str, str]) -> None:
        self._sides = before, after
        # By the second spec's names.
        self._inputs = {other: one for one, other in inputs.items()}

    @cached_property
    def _terms(self) -> Terms:
        graphs = self._sides[0].spec.graph, self._sides[1].spec.graph
        return _SharedTerms(*graphs, self._inputs)

    def implies(self, one: Stated, other: Stated) -> bool:
        """Whether a rule is proved to imply another one about the same values; False is no refutation."""
        if one.side.about(one.rule) != other.side.about(other.rule):
            return False
        kind, wanted = rule_kinds()[one.rule.kind], rule_kinds()[other.rule.kind]
        if one.rule.at_most is not None or other.rule.at_most is not None:
            return _is_smaller(one, other)
        try:
            if isinstance(kind, UpperKind) and isinstance(wanted, UpperKind):
                mine, its = kind.target(one.rule, self._terms), wanted.target(other.rule, self._terms)
                if mine.forbidden != its.forbidden:
                    return False
                # The stronger rule allows less, or forbids more.
                return (
                    _within(its.pairs, mine.pairs, other, one)
                    if mine.forbidden
                    else _within(mine.pairs, its.pairs, one, other)
                )
            if isinstance(kind, LowerKind) and isinstance(wanted, LowerKind) and one.rule.axes == other.rule.axes:
                pairs = wanted.wanted(other.rule, self._terms), kind.wanted(one.rule, self._terms)
                return _within(*pairs, other, one)
        except Inexpressible:
            return False
        return False


def _is_smaller(one: Stated, other: Stated) -> bool:
    """Whether a limit of a number of positions is no larger than another one."""
    mine, its = one.rule, other.rule
    if mine.kind != its.kind or mine.axes != its.axes or one.side.promised(mine) != other.side.promised(its):
        return False
    return compare(one.side.sizes.of(mine.most), "<=", other.side.sizes.of(its.most)) is True


def _within(found: Relation, allowed: Relation, of: Stated, by: Stated) -> bool:
    """Whether the pairs of a rule are proved to be among those of another one, over the sizes that both share."""
    out, inp = (of.side.sizes.of(value.type.space) for value in (of.rule.output, of.rule.input))
    also = by.rule.output.type.space, by.rule.input.type.space
    # Rules relate positions. Features may be more or fewer, as long as coordinates have the same numbers.
    if (len(out), len(inp)) != tuple(map(len, also)) or _positions(of) != _positions(by):
        return False
    return within(of.side.sizes.of(found), by.side.sizes.of(allowed), out, inp, {})


def _positions(stated: Stated) -> Hashable:
    """The sizes of the axes that a rule is about; of a rule about whole rows, of all axes."""
    rule = stated.rule
    axes = [own or range(value.type.rank) for own, value in zip(rule.axes, (rule.output, rule.input), strict=True)]
    types = (rule.output.type, rule.input.type)
    return tuple(stated.side.sizes.of(type_.axes[axis]) for type_, own in zip(types, axes, strict=True) for axis in own)


class _SharedTerms(Terms):
    """Terms of two graphs: what computes the same from inputs that correspond is one term."""

    def __init__(self, before: Graph, after: Graph, inputs: Mapping[str, str]) -> None:
        both = Graph(
            name=before.name,
            inputs=(*before.inputs, *after.inputs),
            nodes=(*before.nodes, *after.nodes),
            outputs=(),
        )
        super().__init__(both)
        self._after = frozenset(after.inputs)
        self._names = inputs

    def _input(self, value: Value) -> Term:
        name = self._names.get(value.name, f"{value.name} (after)") if value in self._after else value.name
        return self._interned((name,), Term(name, value.type, number=len(self._table)))
