"""The fields of every node at the top of a spec, and how it mixes positions."""

from __future__ import annotations

from archspec.analyses.field import ReceptiveFields
from archspec.analyses.mixing import Mixing, mixing
from archspec.checking.fields import FieldOf, field_of, field_text, position_axes
from archspec.ir.types import DType
from archspec.record import record
from archspec.spec import Spec


@record
class FieldRow:
    """One node: its name, what it gives, its fields over the inputs that it depends on, and how it mixes positions."""

    name: str
    gives: str
    fields: tuple[FieldOf, ...]
    mixing: Mixing

    @property
    def field_text(self) -> str:
        """The fields in words, each with its input where there are several."""
        several = len(self.fields) > 1
        texts = ((one.source, field_text(one, brief=True)) for one in self.fields)
        return "; ".join(f"{source}: {text}" if several else text for source, text in texts)

    @property
    def mixing_text(self) -> str:
        """The kinds of mixing with their shares of the node's FLOPs at the typical sizes: `static 93%`."""
        total = self.mixing.total.typical()
        return ", ".join(
            f"{kind} {_share(flops.typical(), total)}".rstrip() for kind, flops in self.mixing.flops.items()
        )


def _share(part: int, total: int) -> str:
    """A share in whole percent; nothing for a node without FLOPs, or a part of it that has none."""
    if not part:
        return ""
    percent = 100 * part / total
    return "<1%" if percent < 1 else f"{percent:.0f}%"


def field_rows(spec: Spec) -> tuple[FieldRow, ...]:
    """A row for each named node at the top that depends on positions of an input."""
    # Of a bool input the masks tell more than a field.
    axes = {source: own for source, own in position_axes(spec).items() if source.type.dtype is not DType.BOOL}
    fields = ReceptiveFields(spec.graph)
    kinds = mixing(spec.graph, axes)
    rows = []
    for node in spec.graph.nodes:
        value = spec.graph.named(node)
        made = (field_of(fields, spec.graph, node.name, value, source, own) for source, own in axes.items())
        known = tuple(one for one in made if one is not None)
        if known and node.path:
            rows.append(FieldRow(name=node.path, gives=str(value.type), fields=known, mixing=kinds[node]))
    return tuple(rows)
