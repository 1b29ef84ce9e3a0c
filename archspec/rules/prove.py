"""Proofs: whether the relations of a graph entail an upper rule at all sizes and for all values of the controls."""

from __future__ import annotations

from dataclasses import replace

from archspec.relation.atoms import Atom, Guard, Relation, Space
from archspec.relation.union import contained
from archspec.relation.wanted import merged
from archspec.rules.flow import Dependence
from archspec.rules.promises import Facts, Promises
from archspec.rules.target import Forbidden
from archspec.rules.views import resolved
from archspec.spec import Spec


def promises(spec: Spec, dependence: Dependence) -> Promises:
    """The padding that the inputs of a spec promise, by term."""
    found = {}
    for value in spec.graph.inputs:
        given = spec.inputs[value.name].padding if value.name in spec.inputs else "any"
        term = dependence.reads.terms.of(value)
        if given != "any" and term is not None:
            found[term] = given
    return found


def within(found: Relation, allowed: Relation, out: Space, inp: Space, promised: Promises) -> bool:
    """Whether every related pair is proved to be allowed.

    Args:
        found: what the graph reads, an upper bound.
        allowed: the pairs of the rule, exact.
        out: coordinate sizes of the output.
        inp: coordinate sizes of the input.
        promised: padding promises, by term.

    Returns:
        True for a proof at all sizes and values of the controls. False refutes nothing.
    """
    # What is expected goes through `merged` alone: `union` may widen it, and widening it would prove too much.
    wanted = merged(allowed)
    # Sufficient: each atom that is found lies in one allowed atom. Nothing tries to cover it by several.
    return all(any(_implies(atom, one, out, inp, promised) for one in wanted.atoms) for atom in found.atoms)


def _implies(atom: Atom, wanted: Atom, out: Space, inp: Space, promised: Promises) -> bool:
    """Whether an atom that is found lies within an allowed one, using the padding promises."""
    if contained(atom, wanted, out, inp):
        return True
    if not promised or not wanted.guards:
        return False
    facts = Facts(atom, out, inp, promised)
    # These guards hold at every pair of the atom, so adding them does not change the set of pairs.
    known = replace(atom, guards=atom.guards | {guard for guard in wanted.guards if facts.holds(guard)})
    return contained(known, wanted, out, inp)


def avoids(found: Relation, clauses: Forbidden, out: Space, inp: Space, promised: Promises) -> bool:
    """Whether it is proved that no related pair is forbidden.

    Each atom is combined with each forbidden clause; all combinations must be impossible. Arguments are those of
    `within`, with the forbidden clauses in place of the allowed pairs.
    """
    # Relations name the predicates that a joined one is made of, and so must the clauses.
    return all(
        Facts(one, out, inp, promised).impossible
        for atom in found.atoms
        for clause in clauses.clauses()
        for one in resolved(_with(atom, clause)).atoms
    )


def _with(atom: Atom, guards: frozenset[Guard]) -> Atom:
    """The atom restricted to pairs where the guards hold."""
    return replace(atom, guards=atom.guards | guards)
