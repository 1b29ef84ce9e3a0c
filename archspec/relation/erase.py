"""Dropping the constraints that mention a control operand, for when its values may change."""

from __future__ import annotations

from dataclasses import replace

from archspec.relation.atoms import Atom, Key, Relation


def mentions(atom: Atom, key: Key) -> bool:
    """Whether a guard, a prefix bound or a segment equality of the atom reads the operand `key`."""
    return erased(atom, key) != atom


def erase(relation: Relation, key: Key) -> Relation:
    """The relation for any value of the operand `key`: every constraint that reads it is dropped, which widens it."""
    return Relation(tuple(dict.fromkeys(erased(atom, key) for atom in relation.atoms)))


def erased(atom: Atom, key: Key) -> Atom:
    """One atom without the constraints that read the operand `key`."""
    return replace(
        atom,
        guards=frozenset(guard for guard in atom.guards if guard.predicate != key),
        prefixes=frozenset(bound for bound in atom.prefixes if bound.prefix != key),
        segments=frozenset(equality for equality in atom.segments if equality.segments != key),
    )
