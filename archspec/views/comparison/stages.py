"""The stages of a spec: the nodes at its top in groups by their first name, as a table can show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from archspec.algebra.dim import Dim
from archspec.analyses.mixing import KINDS, Mixing, MixingKind, mixing
from archspec.checking.fields import FieldOf, field_of, position_axes
from archspec.ir.graph import Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType
from archspec.record import record
from archspec.views.comparison.motions import Motions, StageMotion
from archspec.views.comparison.subject import Compared


@record(eq=False)
class ModelStage:
    """Nodes under one name: their value and its path, empty if none names it, its field, motion by axis and mixing.

    `layers` is the number of repeated layers in it, `motions` has one for each axis of the input.
    """

    name: str
    path: str
    value: Value
    layers: int
    field: FieldOf
    motions: tuple[StageMotion, ...]
    mixed: Mapping[MixingKind, Dim]

    @property
    def is_local(self) -> bool:
        """Whether a position depends on a bounded stretch along every axis."""
        return all(one.extent is not None for one in self.field.fields.values())

    @property
    def has_places(self) -> bool:
        """Whether it has a name, and it is known where its positions lie along every axis of the input."""
        return bool(self.path) and all(one.place is not None and _on(self.value, one) for one in self.motions)


def _on(value: Value, motion: StageMotion) -> bool:
    """Whether a value has the axis that its motion is about."""
    return motion.place is not None and motion.place.axis < value.type.rank


def mixings(subject: Compared) -> dict[Node, Mixing]:
    """How every node at the top mixes positions of inputs that are no masks."""
    axes = {value: own for value, own in position_axes(subject.spec).items() if value.type.dtype is not DType.BOOL}
    return mixing(subject.spec.graph, axes)


def stages(subject: Compared, kinds: Mapping[Node, Mixing]) -> tuple[ModelStage, ...]:
    """The stages that lead to the output and depend on the input, in order.

    Groups that mix no positions, such as norms, belong to the stage before them; that of the output stands alone.
    """
    source, graph = subject.source, subject.spec.graph
    if source is None:
        return ()
    motions = [Motions(graph, source, axis) for axis in subject.axes]
    found = []
    for name, nodes in _groups(subject, source, kinds):
        path, value = _result(subject, nodes[-1])
        field = field_of(subject.fields, graph, name, value, source, subject.axes)
        assert field is not None
        stage = ModelStage(
            name=name,
            path=path,
            value=value,
            layers=sum(_layers(node) for node in nodes),
            field=field,
            motions=tuple(one.of(value) for one in motions),
            mixed=_mixed(nodes, kinds),
        )
        found.append(stage)
    return tuple(found)


def _result(subject: Compared, last: Node) -> tuple[str, Value]:
    """The value of a group, by its name in the file: a block may turn the axes of what its last node makes."""
    values = subject.spec.values
    known = (path for path in (last.path.partition(".")[0], last.path) if path in values)
    path = next(known, "")
    return path, values[path] if path else last.outputs[0]


def _groups(subject: Compared, source: Value, kinds: Mapping[Node, Mixing]) -> Iterator[tuple[str, list[Node]]]:
    """The nodes at the top by the first part of their names; a group without mixing joins the one before it."""
    groups: list[tuple[str, list[Node]]] = []
    result = subject.spec.outputs[subject.output].producer
    for name, own in groupby(_used(subject, source), key=lambda node: node.path.partition(".")[0]):
        nodes = list(own)
        if groups and result not in nodes and not any(kinds[node].flops for node in nodes):
            groups[-1][1].extend(nodes)
        else:
            groups.append((name, nodes))
    yield from groups


def _used(subject: Compared, source: Value) -> list[Node]:
    """The named nodes at the top on the way from the input to the output, in order."""
    wanted = {subject.spec.outputs[subject.output]}
    found: list[Node] = []
    # From the output backwards, so that one pass finds all that leads to it.
    for node in reversed(subject.spec.graph.nodes):
        if wanted.isdisjoint(node.outputs):
            continue
        wanted.update(node.inputs)
        # Whether a value depends on the input at all is the same along every axis.
        depends = subject.fields.of(node.outputs[0], source, subject.axes[0]) is not None
        if depends and node.path:
            found.append(node)
    return found[::-1]


def _layers(node: Node) -> int:
    """How many repeated layers a node has, without those inside them."""
    if isinstance(node.op, Repeat):
        return len(node.op.schedule)
    return sum(_layers(inner) for region in node.regions for inner in region.nodes)


def _mixed(nodes: Sequence[Node], kinds: Mapping[Node, Mixing]) -> dict[MixingKind, Dim]:
    """The FLOPs of each kind of mixing in some nodes."""
    found: dict[MixingKind, Dim] = {}
    for node in nodes:
        for kind, flops in kinds[node].flops.items():
            found[kind] = found.get(kind, Dim.of(0)) + flops
    return {kind: found[kind] for kind in KINDS if kind in found}
