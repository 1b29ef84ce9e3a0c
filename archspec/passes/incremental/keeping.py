"""Where to keep past entries: the cut of fewest bytes between what is read and what it is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.analyses.cost import BYTES
from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.ir.topology import cheapest_cut
from archspec.passes.incremental.forms import Form
from archspec.passes.incremental.needs import Needs
from archspec.passes.incremental.reach import same


def computed_again(asked: Mapping[Form, Iterable[Value]], needs: Needs) -> set[tuple[Value, Form]]:
    """The values whose past entries are computed again from kept ones, for those that are asked for, by form.

    It is done by ops without parameters and FLOPs that take each entry from its own position: heads are kept before
    they are repeated, not after.
    """
    return {(value, form) for form, values in asked.items() for value in _behind(list(values), needs)}


def _behind(asked: list[Value], needs: Needs) -> list[Value]:
    """The values between some values and the cheapest cut behind them; none where no other cut is cheaper."""
    before: dict[Value, list[Value]] = {}
    below: dict[Value, int] = {}
    for value in asked:
        reached = [value]
        # The loop goes on over what it appends.
        for one in reached:
            before.setdefault(one, _operands(one, needs))
            below[one] = below.get(one, 0) + _bytes(value)
            reached += [x for x in before[one] if x not in reached]
    # A cut is only cheaper if one of its values is smaller than all that is computed from it.
    if all(_bytes(value) >= total for value, total in below.items()):
        return []
    kept = cheapest_cut(asked, before, _bytes)
    found = [value for value in asked if value not in kept]
    for value in found:
        found += [x for x in before[value] if x not in kept and x not in found]
    return found


def _operands(value: Value, needs: Needs) -> list[Value]:
    """The operands that past entries of a value may be computed from again; none where it must be kept itself."""
    node = value.producer
    if node is None or not isinstance(node.op, Primitive) or not node.op.anywhere or node.parameters:
        return []
    flops = node.op.flops([x.type for x in node.inputs], [y.type for y in node.outputs])
    axes = needs.axes(value)
    if flops != 0 or len(axes) != 1:
        return []
    late = [(number, x) for number, x in enumerate(node.inputs) if needs.influences.of(x).is_late]
    ((_, out),) = axes
    # A table of positions would have to be made for all past entries as well.
    own = all(needs.influences.of(x).fed for _, x in late) and all(
        same(needs.relation(value, number), out, inp) for number, x in late for _, inp in needs.axes(x)
    )
    return list(dict.fromkeys(x for _, x in late)) if own else []


def _bytes(value: Value) -> int:
    """Bytes of a value at the typical sizes."""
    return BYTES[value.type.dtype] * value.type.elements().typical()
