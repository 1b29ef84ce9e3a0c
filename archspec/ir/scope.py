"""Scopes under construction, and which of their inner values are requested from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from archspec.ir.graph import Graph, Inner, Node, Value
from archspec.ir.types import TensorType
from archspec.record import record


@record(eq=False)
class ScopeFrame:
    """A graph under construction.

    `path` names it for display, `module` is where its parameters live (both contain `*` for a repeated layer), `key`
    distinguishes the bodies of one repeat, and `layers` are the layers that a repeated body runs at. `inner` are the
    values that paths name in it; `wanted` are paths, relative to the scope, of inner values that were requested in it.
    """

    name: str
    path: str
    module: str
    key: str
    layers: frozenset[int] | None = None
    inputs: list[Value] = field(default_factory=list)
    operands: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    own: set[Value] = field(default_factory=set)
    captured: dict[Value, Value] = field(default_factory=dict)
    inner: dict[str, Inner] = field(default_factory=dict)
    exposed: dict[str, Value] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    def bind(self, name: str, value: Value, operand: Value) -> Value:
        """Add an input for `value`, which the enclosing scope knows as `operand`."""
        inner = self.take(name, operand)
        # Under both names: the same value may be reached again from this scope or from the one around it.
        self.captured[value] = self.captured[operand] = inner
        return inner

    def capture(self, value: Value, operand: Value) -> Value:
        """The input of this scope for a value of an enclosing scope; values that are one operand share one input."""
        if operand not in self.captured:
            return self.bind(value.name, value, operand)
        self.captured[value] = self.captured[operand]
        return self.captured[value]

    def take(self, name: str, operand: Value) -> Value:
        """Add an input that starts as `operand` but is not bound to it: the carried value differs in every layer."""
        inner = Value(name, operand.type)
        self.inputs.append(inner)
        self.operands.append(operand)
        self.own.add(inner)
        return inner

    def graph(self, outputs: Sequence[Value], names: Sequence[str] = ()) -> Graph:
        """The finished graph, with the given outputs and their names."""
        return Graph(
            name=self.name,
            inputs=tuple(self.inputs),
            nodes=tuple(self.nodes),
            outputs=tuple(outputs),
            output_names=tuple(names),
            inner=self.inner,
        )


class RepeatMismatch(Exception):
    """A repeated body returns another type than that of the value it carries."""

    def __init__(self, before: TensorType, after: TensorType) -> None:
        super().__init__(f"a repeated body must keep its type: it takes {before} and gives {after}")
        self.before = before
        self.after = after


def join(*parts: str) -> str:
    """Join the non-empty parts of a dotted path."""
    return ".".join(part for part in parts if part)


def below(path: str, inner: str) -> str:
    """`inner` relative to the scope at `path`, which must enclose it."""
    return inner[len(path) + 1 :] if path else inner


def align(frames: Sequence[ScopeFrame]) -> tuple[Value, ...]:
    """Give all bodies of a repeat the same inputs: the carried value, then each value that some body captured.

    Returns the operands of the repeat.
    """
    operands = list(dict.fromkeys(operand for frame in frames for operand in frame.operands[1:]))
    for frame in frames:
        # Input 0 is the carried value, which is not a capture.
        known = dict(zip(frame.operands[1:], frame.inputs[1:], strict=True))
        frame.inputs[1:] = [known.get(operand) or Value(operand.name, operand.type) for operand in operands]
    return (frames[0].operands[0], *operands)


def names_something(frames: Iterable[ScopeFrame], pattern: str, path: str) -> bool:
    """Whether `path` names `pattern`, or something inside it.

    A `*` of the pattern matches the number of a layer that the open body runs at; `frames` are the open scopes from
    outside inwards.
    """
    layers = iter([frame.layers for frame in frames if frame.layers is not None])
    # A path shorter than the pattern cannot name anything inside it.
    expected, found = pattern.split("."), path.split(".")
    if len(found) < len(expected):
        return False
    for wanted, part in zip(expected, found, strict=False):
        if wanted == "*":
            if not part.isdigit() or int(part) not in next(layers):
                return False
        elif wanted != part:
            return False
    return True
