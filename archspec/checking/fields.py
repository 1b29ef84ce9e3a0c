"""Receptive fields of outputs, as `check` reports them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.types import DType
from archspec.masks.entail import normal
from archspec.ops.attention.attention import Attention
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.rule_axes import RulePositions, leading_dims

if TYPE_CHECKING:
    from archspec.analyses.field import ReceptiveField, ReceptiveFields


@record
class FieldOf:
    """The fields of a value along the axes of an input that number positions, by axis.

    `before` are those of what the node reads from which on all of them are global; empty where some is not.
    """

    value: str
    source: str
    fields: Mapping[int, ReceptiveField]
    before: Mapping[int, ReceptiveField]


def position_axes(spec: Spec) -> dict[Value, Sequence[int]]:
    """The axes of each input that number positions: those of space, or of a sequence; no rows and no features."""
    places = RulePositions(leading=leading_dims(value.type for value in spec.graph.inputs))
    axes = {value: _positions(spec.graph, places, value) for value in spec.graph.inputs}
    return {value: found for value, found in axes.items() if found}


def _positions(graph: Graph, places: RulePositions, value: Value) -> Sequence[int]:
    """The axes of an input that number positions: as its dims tell, or what reads it."""
    type_ = value.type
    if type_.dtype is not DType.FLOAT:
        return places.axes(value)
    sizes = dict(enumerate(type_.shape[1:], 1))
    candidates = [axis for axis, size in sizes.items() if not size.symbols() or size.symbols() - places.leading]
    sized = [axis for axis in candidates if sizes[axis].symbols()]
    # Of rank 3 a dim tells a signal [batch, channels, positions] from a sequence [batch, positions, features].
    if type_.rank == 3 and len(sized) == 1:
        return sized
    # Imported late: of a language model there is nothing to ask.
    from archspec.analyses.feature_axes import feature_axes

    features = feature_axes(graph, value, candidates)
    if features is not None:
        return [axis for axis in candidates if axis not in features]
    return range(2, type_.rank) if type_.rank in (4, 5) else places.axes(value)


def _is_space(value: Value, axes: Sequence[int]) -> bool:
    """Whether positions are those of a float map or signal, and no sequence of vectors."""
    return value.type.dtype is DType.FLOAT and value.type.rank > 2 and list(axes) != [1]


def output_fields(spec: Spec, *, every: bool = False) -> list[FieldOf]:
    """The fields of the outputs over the inputs, where they say something; with `every` all of them.

    They do of an image or a signal, and of a sequence where they are bounded.
    """
    axes = position_axes(spec)
    if not every and _sees_all(spec.graph):
        axes = {source: numbers for source, numbers in axes.items() if _is_space(source, numbers)}
    if not axes:
        return []
    # Imported late: of a language model there is nothing to say.
    from archspec.analyses.field import ReceptiveFields

    fields, found = ReceptiveFields(spec.graph), []
    for name, value in spec.outputs.items():
        for source, numbers in axes.items():
            one = field_of(fields, spec.graph, name, value, source, numbers)
            shown = every or _is_space(source, numbers)
            if one is not None and (shown or any(f.extent is not None for f in one.fields.values())):
                found.append(one)
    return found


def _sees_all(graph: Graph) -> bool:
    """Whether some attention has no window: what follows it is global, and saves the walk over the graph."""
    attentions = (node.op for node in graph.walk() if isinstance(node.op, Attention))
    return any(normal(op.mask).kernel in ("full", "causal") for op in attentions)


def field_of(
    fields: ReceptiveFields, graph: Graph, name: str, value: Value, source: Value, axes: Sequence[int]
) -> FieldOf | None:
    """The fields of a value along axes of a source; None where it does not depend on it."""
    found = fields.along(value, source, axes)
    if not found:
        return None
    lost = next((one.lost for one in found.values() if one.lost is not None), None)
    is_global = all(one.extent is None for one in found.values())
    before = _before(fields, graph, lost, source, axes) if is_global and lost is not None else {}
    return FieldOf(value=name, source=source.name, fields=found, before=before)


def _before(
    fields: ReceptiveFields, graph: Graph, lost: Node, source: Value, axes: Sequence[int]
) -> dict[int, ReceptiveField]:
    """The widest fields of the operands of the node at the top that holds another one."""
    top = next((node for node in graph.nodes if lost in _all(node)), None)
    operands = [fields.along(value, source, axes) for value in top.inputs] if top is not None else []
    known = [one for one in operands if one and all(field.extent is not None for field in one.values())]
    return max(known, key=lambda one: sum(f.extent.maximum() for f in one.values() if f.extent), default={})


def _all(node: Node) -> Iterator[Node]:
    yield node
    for region in node.regions:
        yield from region.walk()


def field_text(found: FieldOf, *, brief: bool = False) -> str:
    """The fields in words: `427 x 427 positions, stride 32`, or from which node on they are global.

    Without `brief` also those before that node.
    """
    if any(field.extent is not None for field in found.fields.values()):
        return _local(found.fields.values())
    lost = next((field.lost for field in found.fields.values() if field.lost is not None), None)
    where = "global" if lost is None else f"global from `{lost.path or lost.op.name}` on"
    return f"{where}, before it {_local(found.before.values())}" if found.before and not brief else where


def _local(fields: Iterable[ReceptiveField]) -> str:
    known = list(fields)
    extents = " x ".join("all" if field.extent is None else f"{_size(field)}" for field in known)
    bound = "at most " if any(field.why for field in known) else ""
    local = [field for field in known if field.extent is not None]
    # Where tokens stand in front of a grid, one axis may have a number by chance: rows of 8 patches, 16 pixels high.
    strides = list(dict.fromkeys(str(field.stride) for field in local)) if have_strides(local) else []
    stride = f", stride {' x '.join(strides)}" if strides and strides != ["1"] else ""
    plural = "" if set(extents.split(" x ")) == {"1"} else "s"
    return f"{bound}{extents} position{plural}{stride}"


def _size(field: ReceptiveField) -> str:
    assert field.extent is not None
    whole = field.extent.constant
    return str(field.extent) if whole is None else f"{whole:,}"


def have_strides(fields: Iterable[ReceptiveField]) -> bool:
    """Whether the strides of a value's fields say how its positions lie, along all axes where these are bounded."""
    return all(_is_plain(field) for field in fields if field.extent is not None)


def _is_plain(field: ReceptiveField) -> bool:
    """Whether a stride says how positions of the value lie: not where an axis of a grid was flattened."""
    return field.stride is not None and (field.stride.denominator == 1 or field.stride.numerator == 1)
