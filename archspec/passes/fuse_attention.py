"""One op for the attention of a step and the keys and values that it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.rewriter import Rewriter, everywhere
from archspec.masks.at_positions import AtPositions
from archspec.masks.atoms.causal import Causal
from archspec.masks.given import Given
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from archspec.ops.position.rotary import Rotary
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.ops.state.axis_positions import AxisPositions
from archspec.ops.state.from_integers import FromIntegers
from archspec.ops.state.row_positions import RowPositions
from archspec.ops.state.step_attention import StepAttention
from archspec.ops.state.to_integers import ToIntegers
from archspec.ops.state.write_positions import WritePositions
from archspec.passes.base import Pass
from archspec.passes.prune import Prune
from archspec.passes.scopes import Scopes
from archspec.record import record

_BY_HEAD = (0, 2, 1, 3)
_BY_FEATURE = (1, 3)


@record
class FuseAttention(Pass):
    """Causal attention to all that is kept becomes one op with the writes of keys and values, and their rotation.

    Given:  `%k.1 = write_positions(%k, %new, %past); %y = attention(%q, %k.1, %v.1, %mask)`
    Result: `%y, %k.1, %v.1 = step_attention(%q, %new, %new.1, %k, %v, %past)`

    Masks must be values already. Whatever the op does not say stays as it is: windows, which are kept in rings, masks
    of padding, biases, caps, sinks, and values of another size than the keys.
    """

    name = "fuse-attention"

    def apply(self, graph: Graph) -> Graph:
        """Replace attention in every body."""
        scopes = Scopes(graph)
        fused = everywhere(graph, lambda rewriter: _fuse(rewriter, scopes))
        return graph if fused is graph else Prune().apply(fused)


def _fuse(rewriter: Rewriter, scopes: Scopes) -> None:
    for node in rewriter.graph.nodes:
        found = _Match(rewriter.graph, node, scopes)
        if found.fits:
            found.replace(rewriter)


class _Match:
    """An attention node of a body, and the nodes that write the keys and values which it reads."""

    def __init__(self, graph: Graph, node: Node, scopes: Scopes) -> None:
        self.graph, self.node, self.scopes = graph, node, scopes
        self.values = [_values(value) for value in node.inputs[1:3]]
        self.writes = [_write(value.inputs[0] if value else operand) for operand, value in self._read()]

    def _read(self) -> Iterator[tuple[Value, Node | None]]:
        """The keys and the values, with the node that makes them of integers, if they are kept as such."""
        return zip(self.node.inputs[1:3], self.values, strict=True)

    @property
    def fits(self) -> bool:
        """Whether one op says the same."""
        op, (keys, values) = self.node.op, (*self.writes, None, None)[:2]
        if not isinstance(op, Attention) or op.is_explicit or op.bias or op.mask != Given(0):
            return False
        if keys is None or values is None or keys.inputs[2] is not values.inputs[2]:
            return False
        same = keys.inputs[0].type.shape == values.inputs[0].type.shape
        return same and self._is_scaled() and self._is_causal(keys.inputs[2]) and all(map(self._is_own, (keys, values)))

    def _is_scaled(self) -> bool:
        """Whether both are kept as they are, or both as integers of which each feature of a head has a scale."""
        scaled = [value is not None and value.op == FromIntegers(axes=_BY_FEATURE) for value in self.values]
        return all(scaled) and all(map(self._made_of_new, self.writes)) if any(self.values) else True

    def _made_of_new(self, write: Node | None) -> bool:
        """Whether what is written are integers that are made for this alone."""
        made = None if write is None else write.inputs[1].producer
        return made is not None and isinstance(made.op, ToIntegers) and len(self.graph.uses(made.outputs[0])) == 1

    def _is_own(self, write: Node) -> bool:
        """Whether only this attention reads what is written; the body may return it."""
        values = [value for value in self.values if value is not None]
        used = [use.node for node in (write, *values) for use in self.graph.uses(node.outputs[0])]
        return all(node is None or node is self.node or node in values for node in used)

    def _is_causal(self, past: Value) -> bool:
        """Whether the mask is that of causality alone, at positions after `past`."""
        made = self.scopes.origin(self.node.inputs[3]).producer
        if made is None or not isinstance(made.op, MakeMask) or made.op.mask != AtPositions(Causal(), 0, 1):
            return False
        queries, keys = (self.scopes.origin(value).producer for value in made.inputs[1:])
        if queries is None or keys is None or not isinstance(queries.op, RowPositions):
            return False
        own = self.scopes.origin(queries.inputs[0]) is self.scopes.origin(past) and not queries.op.kept
        return own and isinstance(keys.op, AxisPositions) and not keys.op.filled

    def replace(self, rewriter: Rewriter) -> None:
        """Put one node in place of all."""
        keys, values = (write for write in self.writes if write is not None)
        op = self.node.op
        assert isinstance(op, Attention)
        scales, (new_keys, new_values) = self._scales(rewriter, (keys, values))
        q, k, table = self._unrotated(self.node.inputs[0], new_keys)
        heads, _, size = self.node.inputs[0].type.axes[1:]
        made = StepAttention(heads=heads, size=size, scale=op.scale, rotary=bool(table), kept_integers=bool(scales))
        flat = [self._flat(rewriter, value) for value in (q, k, new_values)]
        operands = (*flat, keys.inputs[0], values.inputs[0], keys.inputs[2], *table)
        names = (self.node.outputs[0].name, keys.outputs[0].name, values.outputs[0].name)
        types = made.infer(*(value.type for value in operands))
        outputs = tuple(Value(name, type_) for name, type_ in zip(names, types, strict=True))
        node = Node(
            op=made,
            inputs=operands,
            outputs=outputs,
            parameters=scales,
            owned=frozenset(scales),
            scope=self.node.scope,
            span=self.node.span,
        )
        rewriter.insert(node, before=self.node)
        for old, new in zip((keys.outputs[0], values.outputs[0]), outputs[1:], strict=True):
            rewriter.replace_value(old, new)
        self._give(rewriter, outputs[0])

    def _scales(self, rewriter: Rewriter, writes: Sequence[Node]) -> tuple[dict[str, Parameter], list[Value]]:
        """The scales of keys and values that are kept as integers, and the new entries before they are made such."""
        new = [write.inputs[1] for write in writes]
        if not any(self.values):
            return {}, new
        scales = dict[str, Parameter]()
        for number, (local, write) in enumerate(zip(("k_scale", "v_scale"), writes, strict=True)):
            made = write.inputs[1].producer
            assert made is not None
            scales[local] = made.parameters["scale"]
            new[number] = made.inputs[0]
            # The op owns the scales, makes the integers itself, and reads them as they are.
            for node in (made, write, self.values[number]):
                assert node is not None
                rewriter.remove(node)
        return scales, new

    def _unrotated(self, q: Value, k: Value) -> tuple[Value, Value, tuple[Value, ...]]:
        """Queries and keys, and the table by which the op is to rotate them; none if they come rotated."""
        turned = [value.producer for value in (q, k)]
        if any(one is None or one.op != Rotary(layout="half") for one in turned):
            return q, k, ()
        first, second = (one for one in turned if one is not None)
        table = first.inputs[1]
        whole = table.type.rank == 5 and 2 * table.type.shape[4] == q.type.shape[3]
        if table is not second.inputs[1] or not whole:
            return q, k, ()
        return first.inputs[0], second.inputs[0], (table,)

    def _flat(self, rewriter: Rewriter, value: Value) -> Value:
        """Heads [b, h, n, d] as [b, n, h * d], from where they were split if they were."""
        swap = value.producer
        if swap is None or swap.op != Transpose(order=_BY_HEAD):
            swapped = self._insert(rewriter, Transpose(order=_BY_HEAD), value)
            return self._insert(rewriter, Merge(axis=2), swapped)
        split = swap.inputs[0].producer
        if split is not None and isinstance(split.op, Split) and split.op.axis == 2:
            return split.inputs[0]
        return self._insert(rewriter, Merge(axis=2), swap.inputs[0])

    def _give(self, rewriter: Rewriter, y: Value) -> None:
        """Let what reads heads [b, h, n, d] read the result [b, n, h * d]."""
        old = self.node.outputs[0]
        rewriter.remove(self.node)
        merged = self._merged()
        if merged is not None:
            for node in merged:
                rewriter.remove(node)
                if node.op == Merge(axis=2):
                    rewriter.replace_value(node.outputs[0], y)
            return
        heads, _, size = old.type.axes[1:]
        split = self._insert(rewriter, Split(axis=2, sizes=(heads, size)), y)
        rewriter.replace_value(old, self._insert(rewriter, Transpose(order=_BY_HEAD), split))

    def _merged(self) -> list[Node] | None:
        """The nodes that only merge the heads of the result; None where something reads it otherwise."""
        found = list[Node]()
        for value, op in ((self.node.outputs[0], Transpose(order=_BY_HEAD)), (None, Merge(axis=2))):
            values = [node.outputs[0] for node in found] if value is None else [value]
            for use in (use for one in values for use in self.graph.uses(one)):
                if use.node is None or use.node.op != op:
                    return None
                found.append(use.node)
        return found

    def _insert(self, rewriter: Rewriter, op: Primitive, value: Value) -> Value:
        """Add an op before the attention; returns its output."""
        made = Value(value.name, op.infer(value.type)[0])
        rewriter.insert(
            Node(op=op, inputs=(value,), outputs=(made,), scope=self.node.scope, span=self.node.span), before=self.node
        )
        return made


def _values(value: Value) -> Node | None:
    """The node that makes a value of integers; None if it is made otherwise."""
    node = value.producer
    return node if node is not None and isinstance(node.op, FromIntegers) else None


def _write(value: Value) -> Node | None:
    """The node that writes entries of heads [b, g, m, d] at their positions; None if the value is made otherwise."""
    node = value.producer
    return node if node is not None and node.op == WritePositions(axis=2) and value.type.rank == 4 else None
