"""The angles of all positions that a step can be at, which the runtime computes once, when it opens the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.model.ports import Interface

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

ROTATES = "do_rotary"
"""The option by which the runtime's attention rotates queries and keys."""

_TABLES = slice(7, 9)
"""The operands of that attention which are the cosines and the sines of all positions."""

MOST_ENTRIES = 1 << 20
"""The most cosines that are kept of all positions: 8,192 positions of heads of 256 features, 4 MB in float32."""

_POSITIONS, _TABLE = "row_positions", "rotary_table"
"""Functions of an emitted step: they give the positions of new entries, and the table that rotates at positions."""


class AllAngles:
    """The tables that a step makes while it is traced, each with the positions that it is for.

    A table of the new positions alone is made anew in every step. Where the step counts these itself, they have a
    bound, so that the angles of all of them depend on no input. Longer tables than `MOST_ENTRIES` are made anew.
    """

    def __init__(self, functions: dict[str, Any], interface: Interface) -> None:
        """Take the places of functions of an emitted file, if it has them; `interface` bounds its sizes."""
        self._bounds = sorted(symbol.max for symbol in interface.dims.values())
        self._plain = {name: functions[name] for name in (_POSITIONS, _TABLE) if name in functions}
        # Tensors are held, so that their numbers stay their own.
        self._limits: dict[int, tuple[Tensor, int]] = {}
        self._tables: dict[int, tuple[Tensor, Callable[[Tensor], Tensor], Tensor, int]] = {}
        if len(self._plain) == 2:
            functions[_POSITIONS], functions[_TABLE] = self._row_positions, self._rotary_table

    def _row_positions(self, past: Tensor, kept: int, new: int, limit: int) -> Tensor:
        """Stand in for the function of an emitted file."""
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        found: Tensor = self._plain[_POSITIONS](past, kept, new, limit)
        most = next((bound for bound in self._bounds if statically_known_true(limit <= bound)), None)
        if not kept and most is not None:
            self._limits[id(found)] = found, most
        return found

    def _rotary_table(
        self, x: Tensor, frequencies: Tensor, positions: Tensor | None = None, magnitude: float = 1.0
    ) -> Tensor:
        """Stand in for the function of an emitted file."""

        def table(at: Tensor | None) -> Tensor:
            made: Tensor = self._plain[_TABLE](x, frequencies, at, magnitude)
            return made

        found = table(positions)
        # The axis of the heads is a view of the positions.
        own = positions if positions is None or positions._base is None else positions._base
        if own is not None and id(own) in self._limits:
            self._tables[id(found)] = found, table, *self._limits[id(own)]
        return found

    def of_all_positions(self, table: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """The cosines and the sines [limit, d / 2] of all positions, and those [b, n] of a table; None for others."""
        import torch

        if id(table) not in self._tables:
            return None
        _, make, positions, limit = self._tables[id(table)]
        if limit * table.shape[-1] > MOST_ENTRIES:
            return None
        cosines, sines = make(torch.arange(limit, device=table.device)).unbind()
        return cosines, sines, positions


def are_fixed(exported: ExportedProgram) -> bool:
    """Whether the angles of all positions depend on no input, as they would where they are scaled by the length."""
    given = set(exported.graph_signature.user_inputs)
    calls = (node for node in exported.graph.nodes if ROTATES in node.kwargs.get("attr_keys", ()))
    left = [table for node in calls for table in node.args[0][_TABLES]]
    seen = set(left)
    while left:
        before = [one for one in left.pop().all_input_nodes if one not in seen]
        seen.update(before)
        left += before
    return not any(node.name in given for node in seen)
