"""Building graphs: types are inferred as nodes are added, scopes open and close, captures are found by use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from archspec.diagnostics import Span
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Inner, Node, Parameter, Value
from archspec.ir.init import Init
from archspec.ir.op import Op, ParameterSpec, ShapeError
from archspec.ir.parameter_book import ParameterBook, Settings
from archspec.ir.repeat import Repeat, Schedule, Tap
from archspec.ir.scope import RepeatMismatch, ScopeFrame, align, below, join, names_something
from archspec.ir.types import TensorType

Body = Callable[..., Value | Sequence[Value]]


class PlacedShapeError(ShapeError):
    """Inputs that do not fit an op, with their location: the span of the node and the values that disagree.

    The values are those of the outermost scope in which they exist, so that a message can name them.
    """

    def __init__(self, error: ShapeError, span: Span | None, values: tuple[Value, ...]) -> None:
        super().__init__(error.message, error.operands, error.help)
        self.span = span
        self.values = values


class Builder:
    """Builds one graph. Values of enclosing scopes may be used anywhere: they become operands of the scope's node.

    `wanted` lists full paths (`states.layers.3.attention.weights`) of inner values that must become graph outputs;
    blocks offer such values with `expose`, and ask `wants` before they compute one that has a cost. `offered` collects
    the paths that were offered or asked for, with `*` for the index of a layer.
    """

    def __init__(self, name: str, wanted: frozenset[str] = frozenset()) -> None:
        self._frames = [ScopeFrame(name=name, path="", module="", key="", wanted=set(wanted))]
        self._book = ParameterBook()
        self._settings = Settings()
        self._reusing = False
        self.offered: set[str] = set()

    # -- settings and paths

    @contextmanager
    def settings(
        self, *, span: Span | None = None, init: Init | None = None, trainable: bool | None = None
    ) -> Iterator[None]:
        """Nodes added inside take this span, initialisation and trainability; None leaves a setting unchanged."""
        old = self._settings
        self._settings = Settings(
            span=span or old.span,
            init=init or old.init,
            trainable=old.trainable if trainable is None else trainable and old.trainable,
        )
        try:
            yield
        finally:
            self._settings = old

    @contextmanager
    def reuse(self) -> Iterator[None]:
        """Modules built inside must exist already: their parameters are used again and no new ones are made."""
        old, self._reusing = self._reusing, True
        try:
            yield
        finally:
            self._reusing = old

    @property
    def span(self) -> Span | None:
        """The span that new nodes get."""
        return self._settings.span

    @property
    def path(self) -> str:
        """Path of the scope under construction; `*` stands for the index of a repeated layer."""
        return self._frames[-1].path

    @property
    def key(self) -> str:
        """The prefix of the full paths of the parameters in the scope under construction, as `parameter` takes them."""
        return self._frames[-1].key

    # -- inner values requested from outside

    def want(self, paths: Iterable[str]) -> None:
        """Request inner values of the scope under construction, by paths relative to it."""
        self._frames[-1].wanted.update(paths)

    def wants(self, name: str) -> bool:
        """Whether a requested path names `name` in the scope under construction, or something inside it."""
        pattern = join(self.path, name)
        self.offered.add(pattern)
        return any(
            names_something(self._frames[depth + 1 :], below(frame.path, pattern), path)
            for depth, frame in enumerate(self._frames)
            for path in frame.wanted
        )

    def asks(self, name: str) -> bool:
        """Whether a requested path ends in `name`, wherever it leads."""
        return any(path.rpartition(".")[2] == name for frame in self._frames for path in frame.wanted)

    def expose(self, name: str, value: Value) -> None:
        """Offer an inner value under a path relative to the scope under construction; it is kept if requested."""
        frame = self._frames[-1]
        if self.wants(name):
            frame.exposed[name] = self._localize(value)
        if value in frame.own:
            frame.inner[name] = Inner(value=value)

    def offer(self, name: str, value: Value) -> None:
        """Offer what the op that makes `value` gives as `name` on request, which is not computed now."""
        self._frames[-1].inner[name] = Inner(value=value, port=name)

    @property
    def exposed(self) -> Mapping[str, Value]:
        """Requested inner values by full path, as values of the scope under construction."""
        return self._frames[-1].exposed

    # -- values and nodes

    def input(self, name: str, type: TensorType) -> Value:
        """Declare an input of the graph."""
        value = Value(name, type)
        frame = self._frames[0]
        frame.inputs.append(value)
        frame.own.add(value)
        return value

    def add(
        self,
        op: Op,
        *inputs: Value,
        name: str = "",
        result: str = "",
        tie: Mapping[str, Parameter] | None = None,
        rename: Mapping[str, str] | None = None,
    ) -> Value:
        """Add an op with one output. See `add_all`."""
        (value,) = self.add_all(op, *inputs, name=name, results=(result,), tie=tie, rename=rename)
        return value

    def add_all(
        self,
        op: Op,
        *inputs: Value,
        name: str = "",
        results: Sequence[str] = (),
        tie: Mapping[str, Parameter] | None = None,
        rename: Mapping[str, str] | None = None,
    ) -> tuple[Value, ...]:
        """Add an op and return its outputs.

        `name` is the node's name in its scope: parameters are called `name.weight`; without a name they belong to the
        scope itself (`weight`). `rename` gives a parameter another name. `results` are hints for the names of the
        outputs; one without a name is meant to be written inline. `tie` gives parameters that another node owns.
        Raises PlacedShapeError, a ShapeError, when the operands do not fit.
        """
        operands = tuple(self._localize(value) for value in inputs)
        types = tuple(value.type for value in operands)
        try:
            outputs = op.infer(*types)
        except ShapeError as error:
            values = (self.origin(operands[number]) for number in error.operands if number < len(operands))
            raise PlacedShapeError(error, self._settings.span, tuple(values)) from None
        made = self._parameters_of(op, types, name, tie or {}, rename or {})
        hints = list(results) + [""] * (len(outputs) - len(results))
        return self._append(
            op,
            operands,
            tuple(Value(hint, type_) for hint, type_ in zip(hints, outputs, strict=True)),
            name=name,
            parameters=made,
            owned=frozenset(made) - frozenset(tie or {}),
        )

    def _append(
        self,
        op: Op,
        operands: tuple[Value, ...],
        outputs: tuple[Value, ...],
        *,
        name: str,
        parameters: Mapping[str, Parameter] | None = None,
        owned: frozenset[str] = frozenset(),
        regions: tuple[Graph, ...] = (),
    ) -> tuple[Value, ...]:
        frame = self._frames[-1]
        node = Node(
            op=op,
            inputs=operands,
            outputs=outputs,
            parameters=parameters or {},
            owned=owned,
            regions=regions,
            name=name,
            scope=frame.path,
            span=self._settings.span,
        )
        frame.nodes.append(node)
        frame.own.update(outputs)
        return outputs

    def _localize(self, value: Value, depth: int = -1) -> Value:
        """The value as the frame at `depth` sees it, captured through every frame in between."""
        depth = depth if depth >= 0 else len(self._frames) - 1
        frame = self._frames[depth]
        if value in frame.own:
            return value
        if value in frame.captured:
            return frame.captured[value]
        if depth == 0:
            raise ValueError(f"{value!r} belongs to a scope that is closed")
        return frame.capture(value, self._localize(value, depth - 1))

    def origin(self, value: Value) -> Value:
        """The value of the outermost scope that a value was passed in from; the value itself if it was made here.

        What repeated layers carry stands for what the first of them is given.
        """
        for frame in reversed(self._frames):
            passed = zip(frame.operands, frame.inputs, strict=False)
            value = next((operand for operand, inner in passed if inner is value), value)
        return value

    # -- parameters

    def _parameters_of(
        self, op: Op, types: tuple[TensorType, ...], name: str, tie: Mapping[str, Parameter], rename: Mapping[str, str]
    ) -> dict[str, Parameter]:
        return {
            local: tie[local] if local in tie else self._parameter(join(name, rename.get(local, local)), spec)
            for local, spec in op.parameters(*types).items()
        }

    def _parameter(self, name: str, spec: ParameterSpec) -> Parameter:
        frame = self._frames[-1]
        return self._book.take(
            join(frame.key, name), join(frame.module, name), spec, self._settings, reuse=self._reusing
        )

    def parameter(self, path: str) -> Parameter | None:
        """A parameter by its full path (`source.table`), to tie it; in a repeated body give the index of the layer."""
        return self._book.get(path)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Full paths of the parameters made so far; those in repeated bodies contain a `*`."""
        return self._book.names

    # -- scopes

    def call(
        self,
        name: str,
        kind: str,
        body: Body,
        inputs: Mapping[str, Value] | None = None,
        *,
        module: str = "",
        results: Sequence[str] = (),
    ) -> tuple[Value, ...]:
        """Build a module: `body` gets the `inputs` as values of the new scope, in order, and returns its outputs.

        `module` names the module whose parameters are used (default: `name`); `results` hint at the names of the
        outputs (default: the name of the node).
        """
        parent = self._frames[-1]
        frame = ScopeFrame(
            name=kind,
            path=join(parent.path, name),
            module=join(parent.module, module or name),
            key=join(parent.key, module or name),
        )
        operands = {name: (value, self._localize(value)) for name, value in (inputs or {}).items()}
        arguments = [frame.bind(name, outer, local) for name, (outer, local) in operands.items()]
        outputs = self._run(frame, body, arguments)
        inner = list(frame.exposed.items())
        region = frame.graph([*outputs, *(value for _, value in inner)])
        hints = [*results, *(name for _ in outputs)][: len(outputs)] + [f"{name}_{port}" for port, _ in inner]
        values = tuple(Value(hint.replace(".", "_"), out.type) for hint, out in zip(hints, region.outputs, strict=True))
        op = Call(kind=kind, module=frame.module, results=tuple(v.type for v in values))
        self._append(op, tuple(frame.operands), values, name=name, regions=(region,))
        for (port, _), value in zip(inner, values[len(outputs) :], strict=True):
            parent.exposed[join(name, port)] = value
        self.expose(name, values[0])
        return values[: len(outputs)]

    def _run(self, frame: ScopeFrame, body: Body, arguments: Sequence[Value]) -> tuple[Value, ...]:
        self._frames.append(frame)
        try:
            made = body(*arguments)
            outputs = (made,) if isinstance(made, Value) else tuple(made)
            return tuple(self._localize(value) for value in outputs)
        finally:
            self._frames.pop()

    def repeat(
        self,
        name: str,
        kinds: Sequence[str],
        bodies: Sequence[Callable[[Value], Value]],
        schedule: Schedule,
        carried: Value,
        *,
        shared: bool = False,
        module: str = "",
    ) -> Value:
        """Build repeated layers: each body takes the carried value and returns a value of the same type.

        Inside, numbers may contain the Symbol `layer`. Values exposed in a body and requested of one layer become
        outputs of the node.
        """
        parent = self._frames[-1]
        outer = self._localize(carried)
        frames: list[ScopeFrame] = []
        outputs: list[Value] = []
        for number, (kind, body) in enumerate(zip(kinds, bodies, strict=True)):
            frame = ScopeFrame(
                name=kind,
                path=join(parent.path, name, "*"),
                module=join(parent.module, module or name, "*"),
                key=join(parent.key, module or name, f"*{number}"),
                layers=frozenset(schedule.layers(number)),
            )
            self.offered.add(frame.path)
            (result,) = self._run(frame, body, [frame.take("x", outer)])
            if not result.type.matches(carried.type):
                raise RepeatMismatch(carried.type, result.type)
            frames.append(frame)
            outputs.append(result)
        operands = align(frames)
        regions = tuple(frame.graph([out, *frame.exposed.values()]) for frame, out in zip(frames, outputs, strict=True))
        return self._repeated(name, kinds, schedule, shared, frames, regions, operands, module)

    def _repeated(
        self,
        name: str,
        kinds: Sequence[str],
        schedule: Schedule,
        shared: bool,
        frames: Sequence[ScopeFrame],
        regions: tuple[Graph, ...],
        operands: tuple[Value, ...],
        module: str,
    ) -> Value:
        parent = self._frames[-1]
        taps = self._taps(name, schedule, frames)
        carried = operands[0]
        values = [Value(carried.name, carried.type)]
        for path, tap in taps.items():
            region = regions[schedule[tap.layer]]
            values.append(Value(path.replace(".", "_"), region.outputs[tap.output].type))
        op = Repeat(
            module=join(parent.module, module or name),
            kinds=tuple(kinds),
            schedule=schedule,
            results=tuple(value.type for value in values),
            shared=shared,
            taps=tuple(taps.values()),
        )
        self._append(op, operands, tuple(values), name=name, regions=regions)
        for path, value in zip(taps, values[1:], strict=True):
            parent.exposed[path] = value
        return values[0]

    def _taps(self, name: str, schedule: Schedule, frames: Sequence[ScopeFrame]) -> dict[str, Tap]:
        """The requested outputs of layers, by path in this scope; a path that ends at a layer is its carried output."""
        taps: dict[str, Tap] = {}
        for wanted in sorted(self._wanted_inside(name)):
            index, _, rest = wanted.partition(".")
            if not index.isdigit() or int(index) >= len(schedule):
                continue
            exposed = list(frames[schedule[int(index)]].exposed)
            if not rest:
                taps[join(name, wanted)] = Tap(layer=int(index), output=0)
            elif rest in exposed:
                taps[join(name, wanted)] = Tap(layer=int(index), output=1 + exposed.index(rest))
        return taps

    def _wanted_inside(self, name: str) -> set[str]:
        """Requested paths into a node of this scope, relative to the node."""
        path = join(self.path, name)
        starts = [(below(frame.path, path) + ".", frame.wanted) for frame in self._frames]
        return {one[len(start) :] for start, wanted in starts for one in wanted if one.startswith(start)}

    # -- the end

    def finish(self, outputs: Mapping[str, Value], names: Mapping[str, Value] | None = None) -> Graph:
        """Close the graph with its named outputs; `names` are more names that paths may use for its values."""
        (frame,) = self._frames
        frame.inner.update((name, Inner(value=value)) for name, value in (names or {}).items())
        return frame.graph(list(outputs.values()), list(outputs))
