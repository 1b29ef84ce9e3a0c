"""Positions inside attention as they are built: what is made once for all layers, and what each layer does with it."""

from __future__ import annotations

from dataclasses import replace

from archspec.blocks.parts.top import Top
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ops.elementwise.binary import Binary
from archspec.ops.position.alibi import Alibi
from archspec.ops.position.rotary import Rotary
from archspec.ops.position.rotary_table import RotaryTable
from archspec.record import record


@record
class InnerPositions:
    """Positions that change nothing; what kinds of them have in common."""

    def prepared(self, top: Top, memory: Value | None) -> InnerPositions:
        """The same with what all layers share, made at the top."""
        return self

    def inputs(self, b: Builder, query: Value, key: Value) -> tuple[Value, Value]:
        """What queries and keys are made of."""
        return query, key

    @property
    def table(self) -> Op | None:
        """What makes the one table that all layers share, where they share one."""
        return None

    def turned(self, b: Builder, q: Value, k: Value) -> tuple[Value, Value]:
        """Queries and keys before they are compared."""
        return q, k

    def scores(self, b: Builder, q: Value, k: Value) -> Value | None:
        """What is added to the scores."""
        return None


@record
class RotaryPositions(InnerPositions):
    """Queries and keys are turned by tables, which all layers share."""

    op: RotaryTable
    turn: Rotary
    ids: tuple[Value, ...] = ()
    tables: tuple[Value, Value] | None = None

    def prepared(self, top: Top, memory: Value | None) -> InnerPositions:
        """With the tables of the queries' and the keys' positions."""
        query = top.add(self.op, top.x, *self.ids, result="rotary")
        key = query if memory is None else top.add(self.op, memory, result="memory_rotary")
        return replace(self, tables=(query, key))

    def turned(self, b: Builder, q: Value, k: Value) -> tuple[Value, Value]:
        """Both turned."""
        assert self.tables is not None
        return b.add(self.turn, q, self.tables[0], result="q"), b.add(self.turn, k, self.tables[1], result="k")


@record
class ScorePositions(InnerPositions):
    """What `op` makes of positions is added to the scores; `shared` says that all layers share it."""

    op: Op
    shared: bool
    made: Value | None = None

    @property
    def table(self) -> Op | None:
        """The op, unless each layer has its own or there is nothing to learn."""
        return self.op if self.shared and not isinstance(self.op, Alibi) else None

    def prepared(self, top: Top, memory: Value | None) -> InnerPositions:
        """With what is added, where the layers share it."""
        if not self.shared:
            return self
        name = "attention" if memory is None else "cross_attention"
        keys = top.x if memory is None else memory
        rename = {"table": "positions"}
        return replace(self, made=top.add(self.op, top.x, keys, name=name, result="positions", rename=rename))

    def scores(self, b: Builder, q: Value, k: Value) -> Value | None:
        """The layer's own, or what all share."""
        return self.made or b.add(self.op, q, k, result="bias", rename={"table": "positions"})


@record
class AddedPositions(InnerPositions):
    """Values are added to what queries and keys are made of, never to what values are made of."""

    query: Value | None = None
    key: Value | None = None

    def inputs(self, b: Builder, query: Value, key: Value) -> tuple[Value, Value]:
        """Both sums."""
        return (
            query if self.query is None else b.add(Binary(kind="add"), query, self.query),
            key if self.key is None else b.add(Binary(kind="add"), key, self.key),
        )
