"""Scopes under construction, and which of their inner values are wanted outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archspec.ir.graph import Graph, Node, Value


@dataclass(eq=False)
class ScopeFrame:
    """A graph under construction.

    `path` names it for people, `module` is where its parameters live (both hold `*` for a repeated layer), `key` tells
    the bodies of one repeat apart, and `layers` are the layers that a repeated body runs at. `wanted` are paths,
    relative to the scope, of inner values that are wanted in it.
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
    exposed: dict[str, Value] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    def bind(self, name: str, value: Value, operand: Value) -> Value:
        """Make an input of this scope that stands for `value`, which the scope around calls `operand`."""
        inner = self.take(name, operand)
        self.captured[value] = self.captured[operand] = inner
        return inner

    def capture(self, value: Value, operand: Value) -> Value:
        """What stands in this scope for a value of the scopes around; two values that are one operand are one input."""
        if operand not in self.captured:
            return self.bind(value.name, value, operand)
        self.captured[value] = self.captured[operand]
        return self.captured[value]

    def take(self, name: str, operand: Value) -> Value:
        """Make an input of this scope that starts as `operand` and, as what layers carry, does not stand for it."""
        inner = Value(name, operand.type)
        self.inputs.append(inner)
        self.operands.append(operand)
        self.own.add(inner)
        return inner

    def graph(self, outputs: Sequence[Value], names: Sequence[str] = ()) -> Graph:
        """The finished graph."""
        return Graph(
            name=self.name,
            inputs=tuple(self.inputs),
            nodes=tuple(self.nodes),
            outputs=tuple(outputs),
            output_names=tuple(names),
        )


def join(*parts: str) -> str:
    """Join the parts of a dotted path that are not empty."""
    return ".".join(part for part in parts if part)


def below(path: str, inner: str) -> str:
    """`inner` as the scope at `path` names it."""
    return inner[len(path) + 1 :] if path else inner


def align(frames: Sequence[ScopeFrame]) -> tuple[Value, ...]:
    """Give all bodies of a repeat the same inputs: the carried value, then each value that some body captured.

    Returns the operands.
    """
    operands = list(dict.fromkeys(operand for frame in frames for operand in frame.operands[1:]))
    for frame in frames:
        known = dict(zip(frame.operands[1:], frame.inputs[1:], strict=True))
        frame.inputs[1:] = [known.get(operand) or Value(operand.name, operand.type) for operand in operands]
    return (frames[0].operands[0], *operands)


def names_something(frames: Iterable[ScopeFrame], pattern: str, path: str) -> bool:
    """Whether `path` names `pattern`, or something inside it; `*` stands for a layer that the open body runs at."""
    layers = iter([frame.layers for frame in frames if frame.layers is not None])
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
