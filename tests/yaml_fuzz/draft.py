"""A random file in the making: dims, inputs, nodes, and what values it has so far."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.yaml_fuzz.masks import Mask, Pred

WIDTH = 4
"""Features of a position."""
VOCAB = 5


@dataclass(frozen=True)
class Size:
    """A size as it is written, and what it is at each of the probes of the dims."""

    text: str
    values: tuple[int, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.values == other.values

    def __hash__(self) -> int:
        return hash(self.values)

    @property
    def constant(self) -> int | None:
        return int(self.text) if self.text.isdigit() else None


@dataclass(frozen=True)
class Dim:
    """A size known at run time."""

    name: str
    least: int
    typical: int
    most: int
    multiple: int = 1
    leads: bool = False

    def __str__(self) -> str:
        if self.multiple == 1:
            return f"[{self.least}, {self.typical}, {self.most}]"
        return f"{{min: {self.least}, typical: {self.typical}, max: {self.most}, multiple: {self.multiple}}}"


@dataclass(frozen=True)
class Made:
    """A value: how it is named, its dtype and axes; `block` is the node that makes it, `ids` a bound of integers."""

    name: str
    axes: tuple[Size, ...]
    dtype: str = "float"
    block: str = ""
    bound: int | None = None
    fed: bool = False
    padding: str = "any"
    sorted: bool = False

    @property
    def lead(self) -> tuple[Size, ...]:
        return self.axes[:1]

    def type(self) -> str:
        return f"{self.dtype}[{', '.join(axis.text for axis in self.axes)}]"


@dataclass(frozen=True)
class Asked:
    """A rule that a file asks of its own: the output reads within a mask, or ignores where a predicate holds."""

    output: Made
    source: Made
    mask: Mask | None = None
    where: Pred | None = None


@dataclass
class Draft:
    """Everything of the file that stands so far. All choices come from `r`; `words` says what the language has."""

    r: random.Random
    words: frozenset[str]
    dims: dict[str, Dim] = field(default_factory=dict)
    inputs: dict[str, Made] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    values: list[Made] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    norm: str = "layer_norm"
    probes: list[dict[str, int]] = field(default_factory=list)
    preds: list[Pred] = field(default_factory=list)
    masks: list[tuple[Size, Size, Mask]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    # -- sizes

    def dim(self, *range_: int, multiple: int = 1, leads: bool = False, name: str | None = None) -> Size:
        """A new dim."""
        name = name or f"n{len(self.dims)}"
        self.dims[name] = Dim(name, *range_, multiple=multiple, leads=leads)
        return Size(name, ())

    def fix(self) -> None:
        """All dims are known: probe them together and apart."""
        ends = [{d.name: (d.least, d.typical, d.most)[k] for d in self.dims.values()} for k in range(3)]
        self.probes = [*ends]
        for odd in self.dims.values():
            self.probes.append({**ends[0], odd.name: odd.most})

    def size(self, text: str | int) -> Size:
        """A size by its text."""
        code = compile(str(text), "size", "eval")
        return Size(str(text), tuple(eval(code, {"__builtins__": {}}, probe) for probe in self.probes))

    def plus(self, size: Size, other: int) -> Size:
        if size.constant is not None:
            return self.size(size.constant + other)
        return self.size(f"{size.text} + {other}" if other >= 0 else f"{size.text} - {-other}")

    def total(self, sizes: Sequence[Size]) -> Size:
        return self.size(" + ".join(size.text for size in sizes))

    def times(self, *sizes: Size) -> Size:
        if all(size.constant is not None for size in sizes):
            found = 1
            for size in sizes:
                found *= size.constant or 1
            return self.size(found)
        return self.size(
            "*".join(
                size.text if size.text.isidentifier() or size.text.isdigit() else f"({size.text})" for size in sizes
            )
        )

    def parts(self, size: Size) -> list[int]:
        """Into how many equal parts a size surely splits, as far as the language can tell."""
        if size.constant is not None:
            return [k for k in (2, 3, 4) if size.constant % k == 0]
        dim = self.dims.get(size.text)
        return [k for k in (2, 3, 4) if dim is not None and dim.multiple % k == 0]

    def over(self, size: Size, k: int) -> Size:
        return self.size(size.constant // k) if size.constant is not None else self.size(f"{size.text}//{k}")

    # -- values

    def feed(self, name: str, axes: Sequence[Size], dtype: str = "float", **more: object) -> Made:
        """A new input."""
        made = Made(name, tuple(axes), dtype, fed=True, **more)  # type: ignore[arg-type]
        type_ = made.type() + (f" < {made.bound}" if made.bound is not None else "")
        fields = [f'type: "{type_}"']
        if made.padding != "any":
            fields.append(f"padding: {made.padding}")
        if made.sorted:
            fields.append("sorted: true")
        if dtype == "bool" and self.r.random() < 0.3:
            fields.append("default: true")
        self.given[name] = f"{{{', '.join(fields)}}}"
        self.inputs[name] = made
        self.values.append(made)
        return made

    def fresh(self, stem: str = "v") -> str:
        return f"{stem}{len(self.nodes)}"

    def node(
        self,
        block: str,
        fields: str,
        axes: Sequence[Size],
        dtype: str = "float",
        reads: Sequence[Made] = (),
        bound: int | None = None,
    ) -> Made:
        """A new node."""
        name = self.fresh()
        self.nodes[name] = f"{{block: {block}, {fields}}}"
        return self.made(name, axes, dtype, block, reads, bound)

    def expression(self, text: str, like: Made, reads: Sequence[Made]) -> Made:
        """A new value that is computed element by element."""
        name = self.fresh()
        self.nodes[name] = text
        return self.made(name, like.axes, like.dtype, "", reads)

    def made(
        self, name: str, axes: Sequence[Size], dtype: str, block: str, reads: Sequence[Made], bound: int | None = None
    ) -> Made:
        self.use(*reads)
        made = Made(name, tuple(axes), dtype, block, bound)
        self.values.append(made)
        return made

    def use(self, *values: Made) -> None:
        self.used |= {value.name for value in values}

    def of(self, dtype: str, axes: Sequence[Size]) -> list[Made]:
        """Values of a dtype and axes."""
        return [value for value in self.values if value.dtype == dtype and value.axes == tuple(axes)]

    def ranked(self, rank: int, dtype: str = "float") -> list[Made]:
        return [value for value in self.values if value.dtype == dtype and len(value.axes) == rank]

    def recent(self, values: Sequence[Made]) -> Made:
        """One of some values, rather a late one."""
        return self.r.choice(values[-3:] if self.r.random() < 0.7 else values)

    def sequences(self) -> list[Made]:
        """Values of positions and features."""
        return [v for v in self.ranked(3) if v.axes[-1].constant == WIDTH]

    # -- the file

    def text(self) -> str:
        """The file, without rules."""
        kept = {name: value for name, value in self.inputs.items() if name in self.used}
        self._require(kept)
        sinks = [v for v in self.values if v.name in self.nodes and v.name not in self.used]
        lines = ["archspec: 1", "name: fuzzed", f"defaults: {{norm: {self.norm}}}", "dims:"]
        named = " ".join([*(self.given[name] for name in kept), *self.nodes.values(), *(v.type() for v in sinks)])
        lines += [f"  {dim.name}: {dim}" for dim in self.dims.values() if dim.leads or _stands(dim.name, named)]
        lines += ["inputs:", *(f"  {name}: {self.given[name]}" for name in kept)]
        if self.blocks:
            lines += ["blocks:", *(line for text in self.blocks.values() for line in text.splitlines())]
        lines += ["graph:", *(f"  {name}: {text}" for name, text in self.nodes.items())]
        lines += ["outputs:", *(f'  {v.name}: "{v.type()}"' for v in sinks)]
        return "\n".join(lines) + "\n"

    def _require(self, kept: dict[str, Made]) -> None:
        """An input may be left out where others tell its sizes: else the module asks for them instead."""
        told = {axis.text for name, value in kept.items() if "default:" not in self.given[name] for axis in value.axes}
        for name, value in kept.items():
            if not {axis.text for axis in value.axes} <= told:
                self.given[name] = self.given[name].replace(", default: true", "")

    def outputs(self) -> list[Made]:
        return [v for v in self.values if v.name in self.nodes and v.name not in self.used]


def _stands(name: str, text: str) -> bool:
    import re

    return re.search(rf"\b{name}\b", text) is not None


__all__ = ["VOCAB", "WIDTH", "Asked", "Dim", "Draft", "Made", "Size", "replace"]
