"""Forgetting what a control input holds: the constraints that mention it."""

from __future__ import annotations

from dataclasses import replace

from archspec.relation.atoms import Atom, Key, Relation


def mentions(atom: Atom, key: Key) -> bool:
    """Whether a guard, a prefix or a segment equality of the atom reads the operand."""
    return erased(atom, key) != atom


def erase(relation: Relation, key: Key) -> Relation:
    """The relation for any value of the operand `key`: every constraint that reads it is dropped."""
    return Relation(tuple(dict.fromkeys(erased(atom, key) for atom in relation.atoms)))


def erased(atom: Atom, key: Key) -> Atom:
    """One atom of `erase`."""
    return replace(
        atom,
        guards=frozenset(guard for guard in atom.guards if guard.predicate != key),
        prefixes=frozenset(bound for bound in atom.prefixes if bound.prefix != key),
        segments=frozenset(equality for equality in atom.segments if equality.segments != key),
    )
