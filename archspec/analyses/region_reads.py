"""What the output of a module reads of an input, as one relation: the composition of what its primitives read."""

from __future__ import annotations

from dataclasses import replace

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.relation.atoms import EVERYTHING, NOTHING, Atom, Difference, Relation, Space, identity
from archspec.relation.closure import close
from archspec.relation.compose import compose
from archspec.relation.interval import Interval
from archspec.relation.union import in_normal_form, united


def region_reads(region: Graph, output: Value, source: Value) -> Relation:
    """The positions of an input of a region that positions of its output may read, whatever masks hold."""
    known = {source: identity(len(source.type.space))}
    _run(region, known, source)
    spaces = output.type.space, source.type.space
    return Relation(tuple(_bounded(atom, *spaces) for atom in known.get(output, NOTHING).atoms))


def _bounded(atom: Atom, out: Space, inp: Space) -> Atom:
    """The atom with both ends of its differences, where the ranges of the coordinates give them."""
    found = close(atom, out, inp)
    if found is None:
        return atom
    ends = (_between(one, found.out[one.out], found.inp[one.inp]) for one in atom.differences)
    return replace(atom, differences=frozenset(ends))


def _between(one: Difference, i: Interval, j: Interval) -> Difference:
    """A difference whose open ends are those that the ranges of its coordinates imply."""
    lo, hi = one.lo, one.hi
    if lo is None and i.lo is not None and j.hi is not None:
        lo = one.a * i.lo - one.b * j.hi
    if hi is None and i.hi is not None and j.lo is not None:
        hi = one.a * i.hi - one.b * j.lo
    return replace(one, lo=lo, hi=hi)


def _run(region: Graph, known: dict[Value, Relation], source: Value) -> None:
    """Add what the values of a region read of a source."""
    for node in region.nodes:
        if not any(value in known for value in node.inputs):
            continue
        match node.op:
            case Call():
                (body,) = node.regions
                known |= {x: known[value] for x, value in zip(body.inputs, node.inputs, strict=True) if value in known}
                _run(body, known, source)
                known |= {y: known[one] for y, one in zip(node.outputs, body.outputs, strict=True) if one in known}
            case Primitive():
                known |= {value: _read(node, value.index, known, source) for value in node.outputs}
            case _:
                known |= dict.fromkeys(node.outputs, EVERYTHING)


def _read(node: Node, output: int, known: dict[Value, Relation], source: Value) -> Relation:
    """What an output of a primitive reads of the source, through all its operands."""
    out, inp = node.outputs[output].type.space, source.type.space
    parts = []
    for value, relation in zip(node.inputs, node.reads[output], strict=True):
        if value in known and relation.atoms:
            own = in_normal_form(_plain(relation), out, value.type.space)
            parts.append(compose(own, known[value], out, value.type.space, inp))
    return united(parts, out, inp)


def _plain(relation: Relation) -> Relation:
    """The relation without what depends on data, which only widens it."""
    return Relation(
        tuple(replace(atom, guards=frozenset(), prefixes=frozenset(), segments=frozenset()) for atom in relation.atoms)
    )
