"""What the cached step of a decoder is made from, and the class of its cache."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from archspec.analyses.cache import KeptValue
from archspec.ir.graph import Graph, Value
from archspec.lower.defaults import Number
from archspec.lower.layout import WIDTH
from archspec.lower.naming import identifier
from archspec.passes.incremental.incremental import Incremental
from archspec.record import record

STEP = "step"
ONCE = "prepare"
METHODS = frozenset({STEP, ONCE, "new_cache"})
"""Names of methods other than `forward`."""
_OWN_FIELDS = ("past", "longest", "capacity", "check", "check_counts", "length")


@record(eq=False)
class Cached:
    """What the methods of a decoder are made from.

    `step` and `once` are the graphs of `found` as they are emitted, `source` is the name of the input that is fed.
    `given` are the inputs that `new_cache` takes, `held` those of them that steps read, so that the cache holds them.
    """

    found: Incremental
    step: Graph
    once: Graph | None
    source: str
    defaults: Mapping[str, Number]

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs by the names of the methods that compute them."""
        return {STEP: self.step} | ({} if self.once is None else {ONCE: self.once})

    @property
    def fed(self) -> list[Value]:
        """The inputs that each step takes, the ids first."""
        found = [value for value in self.step.inputs if self._is_given(value) and self._is_fed(value)]
        # The sort is stable: the others keep the order of the step's inputs.
        return sorted(found, key=lambda value: value.name != self.source)

    @property
    def held(self) -> list[Value]:
        """The inputs that steps read and that are given once."""
        return [value for value in self.step.inputs if self._is_given(value) and not self._is_fed(value)]

    @property
    def held_names(self) -> set[str]:
        """Their names."""
        return {value.name for value in self.held}

    @property
    def given(self) -> list[Value]:
        """The inputs that `new_cache` takes."""
        once = [] if self.once is None else list(self.once.inputs)
        names = {value.name for value in once}
        return [*once, *(value for value in self.held if value.name not in names)]

    @property
    def fields(self) -> dict[str, str]:
        """The field of the cache for each value of the state: the shortest end of its path that no other value has."""
        paths = {one.name: [part for part in one.path.split(".") if part != "*"] for one in self.found.state}
        kinds = {one.name: "last_" if one.kind == "last" else "" for one in self.found.state}
        held = [*_OWN_FIELDS, *(self.field_of(value) for value in self.held)]
        for count in range(1, max((len(path) for path in paths.values()), default=0) + 1):
            short = {name: identifier(kinds[name] + "_".join(path[-count:])) for name, path in paths.items()}
            taken = [*short.values(), *held]
            if len(set(taken)) == len(taken):
                return short
        # The pass has given the inputs of the state names of their own.
        return {name: name for name in paths}

    def field_of(self, value: Value) -> str:
        """The field of the cache for an input that it holds."""
        found = identifier(value.name)
        return f"{found}_" if found in _OWN_FIELDS else found

    @property
    def whole(self) -> KeptValue | None:
        """A value of which all positions are kept; None where there is none."""
        return next((one for one in self.found.state if one.kind == "whole"), None)

    def _is_given(self, value: Value) -> bool:
        # The pass adds these inputs to the step; the caller gives the others.
        return value.name not in {"past", "count", "last", *(one.name for one in self.found.state)}

    def _is_fed(self, value: Value) -> bool:
        # What a step is fed has an axis for the new positions.
        return any(self.found.new in size.symbols() for size in value.type.shape)


def cache_class(cached: Cached) -> list[str]:
    """Lines of the class `Cache`."""
    whole, fields = cached.whole, cached.fields
    lines = ["class Cache(NamedTuple):", '    """The cache of a decoder: buffers that every step writes in place.', ""]
    lines += ["    past: int64 [rows], the number of positions that each row has had."]
    lines += ["    longest: at least the largest number of positions that a row has had."]
    for one in cached.found.state:
        lines += textwrap.wrap(
            f"    {fields[one.name]}: {one.type.dtype} {_axes(one)}, {_ABOUT[one.kind]}.",
            WIDTH,
            subsequent_indent="        ",
        )
    # A number of Python: to slice a buffer by a tensor would wait for the device.
    lines += ['    """', "", "    past: Tensor", "    longest: int"]
    lines += [f"    {cached.field_of(value)}: Tensor" for value in cached.held]
    lines += [f"    {fields[one.name]}: Tensor" for one in cached.found.state]
    # Rings have no end of their own: rows have at most the positions that the model has.
    capacity = str(cached.found.length.max) if whole is None else f"self.{fields[whole.name]}.shape[{whole.axis}]"
    return [*lines, *_CACHE_METHODS.replace("CAPACITY", capacity).splitlines()]


_CACHE_METHODS = '''
    @property
    def capacity(self) -> int:
        """The largest number of positions that a row may have."""
        return CAPACITY

    def check(self, counts: Tensor, new: int) -> None:
        """Raise ValueError where a row has no room for counts [rows] of new positions."""
        capacity = self.capacity
        if torch.compiler.is_compiling():
            fits = (self.past + counts <= capacity).all()
            torch._assert_async(fits, "a row has more positions than its cache takes")
            return
        # To read the counts waits for the device: only where the new may not fit.
        if self.longest > capacity - new:
            most = int((self.past + counts).max())
            if most > capacity:
                message = f"a row has {most} positions, but its cache takes {capacity}"
                raise ValueError(message)

    def check_counts(self, counts: Tensor | None, new: int) -> None:
        """Raise ValueError unless each row has from 0 to all of the new positions."""
        if counts is None:
            return
        within = ((counts >= 0) & (counts <= new)).all()
        if torch.compiler.is_compiling():
            torch._assert_async(within, "a row has more new positions than there are")
        elif counts.shape != self.past.shape or not within:
            found = counts.tolist()
            message = f"counts must be from 0 to {new} for each row, not {found}"
            raise ValueError(message)

    def length(self, new: int) -> int:
        """The number of entries of whole buffers that a step of new positions reads."""
        # Compiled code reads all of them: every step then has the same shapes.
        if torch.compiler.is_compiling():
            return self.capacity
        return min(self.longest + new, self.capacity)
'''
_ABOUT = {"whole": "position p at p", "last": "position p at p modulo the length", "once": "made once"}


def _axes(one: KeptValue) -> str:
    names = [str(size) for size in one.type.shape]
    names[one.layers] = "rows"
    if one.axis is not None and one.kind == "whole":
        names[one.axis] = "capacity"
    return f"[{', '.join(names)}]"
