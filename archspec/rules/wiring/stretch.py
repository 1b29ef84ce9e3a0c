"""Witnesses against rules on fields: an output position that depends on two input positions that are too far apart."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import places
from archspec.relation.atoms import NOTHING, ZERO, Atom, Difference, Flat, Relation
from archspec.relation.forms import form, index_at, used
from archspec.rules.reads import Reads
from archspec.rules.target import with_exempt
from archspec.rules.wiring.grid import bits_of
from archspec.rules.wiring.search import LONGEST, Bad, Witness, confirmed, find, inside
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.worlds import small_sizes
from archspec.spec import Rule, Spec


def stretched(spec: Spec, reads: Reads, rule: Rule, extent: Dim | None) -> tuple[tuple[Witness, Witness] | None, int]:
    """Two witnesses of one output position, or None; and of how many positions no replay confirmed what wiring shows.

    `extent` is that of the field, None where it is global. The first witness reads an input position, the second one
    that is at least `at_most` behind it. Raises TooManyPositions, and Inexpressible where the output positions of the
    rule cannot be written exactly.
    """
    along = _Along(rule, reads)
    extra = [(rule.output, rule.input, along.compared())]
    found = find(spec, reads, rule.output, rule.input, extra, along.far(), list(_larger(spec, rule, extent)))
    far = found.witness
    if far is None:
        return None, found.unconfirmed
    behind = along.before(far)
    # Without a replay the wiring alone stands for both positions.
    near = confirmed(far.replay, far.wiring, far.i, behind) if far.replay is not None else along.first(far, behind)
    return (None, 1) if near is None else ((near, far), found.unconfirmed)


def _larger(spec: Spec, rule: Rule, extent: Dim | None) -> Iterator[dict[str, int]]:
    """Sizes at which the axis of the rule is longer than it allows, twice the field, which no border clips, or typical.

    The dims of other axes are small.
    """
    small = small_sizes(spec)
    own = rule.input.type.shape[rule.axes[1][0]].symbols()
    for wanted in (rule.most + 2, 2 * (rule.most if extent is None else extent)):
        wide = small_sizes(spec, min(wanted.maximum(), LONGEST))
        yield small | {symbol.name: wide[symbol.name] for symbol in own}
    yield small | {symbol.name: symbol.typical for symbol in own}


class _Along:
    """Positions along the axis of a rule on fields."""

    def __init__(self, rule: Rule, reads: Reads) -> None:
        self.rule = rule
        self.place = places(rule.input.type)[rule.axes[1][0]]
        self.exempt = with_exempt(rule, NOTHING, reads.terms)

    def compared(self) -> Relation:
        """A relation that tells positions of the axis apart, over more of them than the rule allows."""
        inp, most = used(self.place)[0], self.rule.most
        source = self.rule.input.type.space[inp]
        same = [k for k, size in enumerate(self.rule.output.type.space) if size == source]
        # Of the output a coordinate as long as the axis, so that the sizes that are tried do; else only the axis.
        atom = (
            Atom(differences=frozenset({Difference(out=same[0], inp=inp, lo=-most, hi=most)}))
            if same
            else Atom(flats=frozenset({Flat(out=(), inp=form(inp), lo=-most, hi=ZERO)}))
        )
        return Relation((atom, *self.exempt.atoms))

    def index(self, wiring: Wiring, bit: int) -> int:
        """The position along the axis of a position of the input."""
        index = wiring.grid(self.rule.input).index(bit)
        return index_at(self.place, lambda k: index[k], wiring.world.sizes)

    def far(self) -> Bad:
        """A test for input positions that are too far behind the first one that an output position reads."""
        exempt = inside(self.rule.output, self.rule.input, self.exempt)

        def bad(wiring: Wiring, bit: int) -> int:
            if self.exempt.atoms and exempt(wiring, bit):
                return 0
            read = wiring.read(self.rule.output, 1 << bit, self.rule.input)
            found = {other: self.index(wiring, other) for other in bits_of(read)}
            least = min(found.values(), default=0) + self.rule.most.value(wiring.world.sizes)
            return sum(1 << other for other, index in found.items() if index >= least)

        return bad

    def before(self, far: Witness) -> int:
        """The input positions that the output position reads at least `at_most` before another one."""
        wiring = far.wiring
        read = wiring.read(self.rule.output, 1 << wiring.grid(self.rule.output).bit(far.i), self.rule.input)
        last = self.index(wiring, wiring.grid(self.rule.input).bit(far.j)) - self.rule.most.value(wiring.world.sizes)
        return sum(1 << other for other in bits_of(read) if self.index(wiring, other) <= last)

    def first(self, far: Witness, behind: int) -> Witness:
        """A witness of the first of some input positions."""
        return Witness(wiring=far.wiring, i=far.i, j=far.wiring.grid(self.rule.input).index(next(bits_of(behind))))
