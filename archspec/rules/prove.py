"""Proofs: whether the relations of a graph entail an upper rule at all sizes and for all values of the controls."""

from __future__ import annotations

from archspec.ir.dim import Dim
from archspec.ir.graph import Graph, Value
from archspec.ops.coordinates import coordinates
from archspec.record import record
from archspec.relation.atoms import Atom, Guard, Relation, Space, equal
from archspec.relation.union import contained, in_normal_form
from archspec.rules.flow import Dependence
from archspec.rules.promises import Facts, Promises
from archspec.rules.reads import space
from archspec.rules.target import Forbidden
from archspec.spec import Spec


def promises(spec: Spec, dependence: Dependence) -> Promises:
    """What the inputs of a spec promise, by their terms."""
    found = {}
    for value in spec.graph.inputs:
        given = spec.inputs[value.name].padding if value.name in spec.inputs else "any"
        term = dependence.reads.terms.of(value)
        if given != "any" and term is not None:
            found[term] = given
    return found


def within(found: Relation, allowed: Relation, out: Space, inp: Space, promised: Promises) -> bool:
    """Whether surely every related pair is allowed."""
    wanted = in_normal_form(allowed, out, inp)
    return all(any(_implies(atom, one, out, inp, promised) for one in wanted.atoms) for atom in found.atoms)


def _implies(atom: Atom, wanted: Atom, out: Space, inp: Space, promised: Promises) -> bool:
    if contained(atom, wanted, out, inp):
        return True
    if not promised or not wanted.guards:
        return False
    facts = Facts(atom, out, inp, promised)
    known = Atom(
        differences=atom.differences,
        ranges=atom.ranges,
        prefixes=atom.prefixes,
        guards=atom.guards | {guard for guard in wanted.guards if facts.holds(guard)},
        segments=atom.segments,
    )
    return contained(known, wanted, out, inp)


def avoids(found: Relation, clauses: Forbidden, out: Space, inp: Space, promised: Promises) -> bool:
    """Whether surely no related pair is forbidden."""
    return all(
        Facts(_with(atom, clause), out, inp, promised).impossible
        for atom in found.atoms
        for clause in clauses.clauses()
    )


def _with(atom: Atom, guards: frozenset[Guard]) -> Atom:
    return Atom(
        differences=atom.differences,
        ranges=atom.ranges,
        prefixes=atom.prefixes,
        guards=atom.guards | guards,
        segments=atom.segments,
    )


@record
class Leading:
    """A dim that leads inputs: what stands at different places along it must not mix.

    Coordinate `inp` of the input must be one of `out` of the output, which are those along the dim; an output that has
    none may not depend on the input at all.
    """

    dim: str
    output: Value
    input: Value
    out: tuple[int, ...]
    inp: int

    def allowed(self) -> list[Relation]:
        """Relations of which one must hold all related pairs."""
        return [Relation((Atom(differences=frozenset({equal(place, self.inp)})),)) for place in self.out]

    def __str__(self) -> str:
        return f"independent(dim: {self.dim})"


def leading(graph: Graph) -> list[Leading]:
    """Every pair of an output and an input that a dim leads. A dim that stands elsewhere in an input leads nothing."""
    result = []
    for source in graph.inputs:
        dim = _dim(source, 0)
        if dim is None or any(axis.size == dim for value in graph.inputs for axis in value.type.axes[1:]):
            continue
        for output in graph.outputs:
            places = coordinates(output.type)
            own = tuple(places[k][0] for k, axis in enumerate(output.type.axes) if axis.size == dim)
            result.append(Leading(dim=str(dim), output=output, input=source, out=own, inp=0))
    return result


def _dim(value: Value, axis: int) -> Dim | None:
    """The size of an axis, where it is one dim."""
    if value.type.rank <= axis or len(value.type.axes[axis].factors) != 1:
        return None
    size = value.type.axes[axis].size
    symbols = size.symbols()
    return size if len(symbols) == 1 and str(size) == next(iter(symbols)).name else None


def is_independent(pair: Leading, dependence: Dependence) -> bool:
    """Whether surely no two places along the dim mix."""
    found = dependence.relation(pair.output, pair.input)
    out, inp = space(pair.output.type), space(pair.input.type)
    return not found.atoms or any(within(found, one, out, inp, {}) for one in pair.allowed())
