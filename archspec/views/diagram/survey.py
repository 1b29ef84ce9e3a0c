"""Makes the plan of a diagram from a graph: rearranging steps are left out, modules are opened or only named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from archspec.analyses.parameters import parameter_groups
from archspec.diagnostics import fail
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat, Schedule
from archspec.ir.types import DType, TensorType
from archspec.ops.attention.attention import Attention
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.views.diagram.attention import AttentionWords
from archspec.views.diagram.describe import feed_forward, primitive
from archspec.views.diagram.lanes import depths
from archspec.views.diagram.plan import DiagramPart, DiagramPlan, DiagramWire
from archspec.views.diagram.tidy import Draft, tidied
from archspec.views.diagram.words import class_words, count, sentence, shape

# Modules whose contents are drawn without a frame around them.
_OPENED = ("TokenEmbedding", "PatchEmbedding", "AddPositions", "Conv", "ConvTranspose")
# Frames inside more frames than this would be too small to read.
_DEEPEST = 6
LARGEST = 500
"""The most parts and the most lines of a diagram; the largest of those that ship has about 160."""
Refs = tuple[int, ...]


def surveyed(graph: Graph, words: AttentionWords) -> DiagramPlan:
    """The plan of a whole graph: its inputs that are read by drawn parts, its nodes and its outputs.

    Raises SpecError E752 for more than `LARGEST` parts or lines.
    """
    body = _Body(words, 0)
    for value in graph.inputs:
        part = DiagramPart(role="input", title=value.name, notes=(f"{value.type.dtype}{shape(value.type)}",))
        body.known[value] = (body.add(part, {}),)
    body.run(graph)
    for name, value in zip(graph.output_names, graph.outputs, strict=True):
        part = DiagramPart(role="output", title=name, notes=(shape(value.type),))
        body.add(part, {0: body.known.get(value, ())})
    plan = tidied(body.draft, len(body.draft.parts) - 1)
    outputs = [number for number, part in enumerate(plan.parts) if part.role == "output"]
    _require_few(len(list(plan.walk())), plan.count_wires())
    far = depths(plan)
    # The main column of a diagram leads to the output with the longest path, of several to the first.
    return replace(plan, result=max(outputs, key=lambda number: (far[number], -number)))


class _Body:
    """One plan under construction: `known` gives the parts from which each value comes, `gives` what nodes give."""

    def __init__(self, words: AttentionWords, depth: int) -> None:
        self.words, self.depth = words, depth
        self.draft = Draft()
        self.known: dict[Value, Refs] = {}
        self.gives: dict[Node, TensorType] = {}

    def run(self, graph: Graph) -> None:
        """Add the parts of the nodes of a graph, in order."""
        for node in graph.nodes:
            self.gives[node] = graph.named(node).type
            match node.op:
                case Repeat():
                    self._stack(node, node.op)
                case Call():
                    self._call(node, node.op)
                case Attention():
                    self._keep(node, self.words.alone(node), self._sources(node, data_operands(node)))
                case _:
                    self._primitive(node)

    def add(self, part: DiagramPart, sources: Mapping[int, Refs]) -> int:
        """Add a part with wires from its sources by port, the first of which is the main one; returns its number."""
        number = len(self.draft.parts)
        self.draft.parts.append(part)
        met: set[tuple[int, int]] = set()
        for port, refs in sources.items():
            first = not met
            for ref in refs:
                key = (ref, port if part.inside is not None else 0)
                if key not in met:
                    met.add(key)
                    self.draft.wires.append(DiagramWire(ref, number, first, port))
        # Before they are merged, which for thousands takes minutes.
        _require_few(len(self.draft.parts), len(self.draft.wires))
        return number

    def plan(self, node: Node, number: int = 0) -> DiagramPlan:
        """The plan of a region of a node; inputs that do not come from a drawn part are left out."""
        region, body = node.regions[number], _Body(self.words, self.depth + 1)
        for k, (inner, outer) in enumerate(zip(region.inputs, node.inputs, strict=True)):
            body.known[inner] = (-1 - k,) if self.known.get(outer) else ()
        body.run(region)
        # A value that comes from no part is that of the first input.
        return tidied(body.draft, max(body.known.get(region.outputs[0], ()), default=-1))

    def _sources(self, node: Node, operands: Iterable[int]) -> dict[int, Refs]:
        return {k: self.known.get(node.inputs[k], ()) for k in operands}

    def _keep(self, node: Node, part: DiagramPart, sources: Mapping[int, Refs]) -> int:
        """Add the part of a node as the source of all its outputs; returns the number of the part."""
        made = replace(part, gives=shape(self.gives[node]), name=part.name or node.name, nodes=frozenset(_inside(node)))
        number = self.add(made, sources)
        self.known.update(dict.fromkeys(node.outputs, (number,)))
        return number

    def _primitive(self, node: Node) -> None:
        """Add the part of a primitive; the outputs of one that is not drawn come from the sources of its operands."""
        part, sources = primitive(node), self._sources(node, data_operands(node))
        if part is not None:
            self._keep(node, part, sources)
        else:
            refs = tuple(dict.fromkeys(ref for one in sources.values() for ref in one))
            self.known.update(dict.fromkeys(node.outputs, refs))

    def _call(self, node: Node, op: Call) -> None:
        (region,) = node.regions
        part = self.words.module(op.kind, region) or feed_forward(op.kind, region)
        # A frame around a stack of layers, or around a single part, would show nothing new.
        if part is None and (op.kind in _OPENED or any(isinstance(inner.op, Repeat) for inner in region.nodes)):
            self._open(node, op.kind)
            return
        inside = self.plan(node)
        if part is None and len(inside.parts) < 2:
            self._open(node, op.kind)
            return
        if part is None:
            title = node.name if op.kind == "ConvResidual" else sentence(class_words(op.kind))
            opened = inside if self.depth < _DEEPEST else None
            part = DiagramPart(role="group", title=title, kind=op.kind, inside=opened)
        self._keep(node, part, self._sources(node, inside.read_inputs))

    def _open(self, node: Node, kind: str) -> None:
        """Draw the contents of a module in place of the module."""
        (region,) = node.regions
        before = len(self.draft.parts)
        self.known.update({x: self.known.get(outer, ()) for x, outer in zip(region.inputs, node.inputs, strict=True)})
        self.run(region)
        for value, made in zip(node.outputs, region.outputs, strict=True):
            self.known[value] = self.known.get(made, ())
        if kind == "PatchEmbedding":
            self._call_patches(before)

    def _call_patches(self, first: int) -> None:
        """Draw the convolution of a patch embedding as an embedding, with its purpose as title."""
        for number, part in enumerate(self.draft.parts[first:], first):
            if part is not None and part.role == "convolution":
                notes = (
                    f"{part.title.removeprefix('Convolution ')} patches, {part.notes[0].partition(', stride')[0]}",
                )
                self.draft.parts[number] = replace(part, role="embedding", title="Patch embedding", notes=notes)

    def _stack(self, node: Node, op: Repeat) -> None:
        """Add the layers of a repeat: one part for layers of one kind, else a part for each run of equal layers."""
        runs = _Runs(self, node, op)
        schedule = op.schedule
        if len(node.regions) == 1:
            runs.lay(self, [(0, len(schedule))])
        else:
            runs.lay(self, _grouped(schedule.start))
            runs.lay_repeated(self, schedule)
            runs.lay(self, _grouped(schedule.end))
        self.known.update(dict.fromkeys(node.outputs, runs.carried))


def _require_few(parts: int, lines: int) -> None:
    """Raise SpecError E752 for more parts or lines than a reader can follow."""
    if max(parts, lines) > LARGEST:
        what = "parts" if parts >= lines else "lines between parts"
        help = "put nodes that belong together into a block, or read the tree: `archspec show` without `--svg`"
        fail("E752", f"the architecture has more than {LARGEST} {what}, too many for one picture", None, help=help)


def _inside(node: Node) -> Iterator[Node]:
    """A node and all inside it."""
    yield node
    for region in node.regions:
        yield from region.walk()


def _grouped(bodies: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of the same body: its number and the length of the run."""
    return [(body, len(list(group))) for body, group in groupby(bodies)]


class _Runs:
    """The layers of one stack, added run by run; the inside of a body is drawn only for its first run."""

    def __init__(self, body: _Body, node: Node, op: Repeat) -> None:
        self.node, self.op = node, op
        self.plans = [body.plan(node, number) for number in range(len(node.regions))]
        self.outside = [body.known.get(value, ()) for value in node.inputs]
        self.carried: Refs = self.outside[0]
        self.met: set[int] = set()
        self.stack = node.scope.rpartition(".")[2] or node.name

    def lay(self, body: _Body, runs: Sequence[tuple[int, int]]) -> None:
        """Add runs of layers, each of which reads the result of the one before."""
        for number, times in runs:
            plan = self.plans[number]
            part = replace(self._part(number, times), gives=shape(self.node.outputs[0].type))
            sources = {k: self.carried if k == 0 else self.outside[k] for k in plan.read_inputs}
            self.carried = (body.add(part, sources),)

    def lay_repeated(self, body: _Body, schedule: Schedule) -> None:
        """Add the repeated part of a schedule, in a frame if it consists of more than one run and is repeated."""
        runs = _grouped(schedule.repeat)
        if not schedule.times or schedule.times == 1 or len(runs) == 1:
            self.lay(body, [(number, times * schedule.times) for number, times in runs if schedule.times])
            return
        inner = _Body(body.words, body.depth + 1)
        outside, carried = self.outside, self.carried
        self.outside = [(-1 - k,) if refs else () for k, refs in enumerate(outside)]
        self.carried = self.outside[0]
        self.lay(inner, runs)
        plan = tidied(inner.draft, self.carried[0])
        self.outside = outside
        part = DiagramPart(
            role="stack",
            title="in turn",
            kind="pattern",
            times=schedule.times,
            inside=plan,
            notes=self._parameters([(number, times * schedule.times) for number, times in runs]),
            gives=shape(self.node.outputs[0].type),
            name=self.stack,
            nodes=frozenset().union(*(one.nodes for one in plan.parts)),
        )
        self.carried = (body.add(part, {k: carried if k == 0 else outside[k] for k in plan.read_inputs}),)

    def _part(self, number: int, times: int) -> DiagramPart:
        """The part for `times` layers with one body; its contents are drawn the first time only."""
        kind = self.op.kinds[number]
        words = class_words(kind) + (", one set of weights" if self.op.shared else "")
        is_new = number not in self.met
        self.met.add(number)
        alone = len(self.plans) == 1 or len(_grouped(self.op.schedule.repeat)) == 1
        return DiagramPart(
            role="stack",
            title=words,
            kind=kind,
            times=times,
            inside=self.plans[number] if is_new else None,
            notes=self._parameters([(number, times)]) if is_new else ("as drawn before",),
            name=self.stack if alone else "",
            nodes=frozenset(self.node.regions[number].walk()),
        )

    def _parameters(self, runs: Sequence[tuple[int, int]]) -> tuple[str, ...]:
        """A note with the number of parameters of some runs, given as body and number of layers; empty for none."""
        total = 0
        for number, times in runs:
            groups = parameter_groups(self.node.regions[number])
            # Layers that share weights have them once.
            total += (1 if self.op.shared else times) * sum(group.count * group.elements for group in groups)
        return (count(total),) if total else ()


def data_operands(node: Node) -> list[int]:
    """The numbers of the operands to draw: neither masks and bools, nor operands whose values are not read."""
    op = node.op
    last = op.first if isinstance(op, Attention) else 1 if isinstance(op, MaskedPool) else len(node.inputs)
    found = [k for k in range(min(last, len(node.inputs))) if node.inputs[k].type.dtype is not DType.BOOL]
    if not isinstance(op, Primitive) or isinstance(op, Attention):
        return found
    rows = op.reads([value.type for value in node.inputs], [value.type for value in node.outputs])
    return [k for k in found if any(row[k].atoms for row in rows)]
