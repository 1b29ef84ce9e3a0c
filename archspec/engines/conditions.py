"""Compute the conditions on sizes under which a traced program is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

_MOST = 100_000
"""For how many combinations of sizes a condition is computed."""


class _Sizes(NamedTuple):
    """The dim that a symbol of the tracer stands for, and its bounds."""

    name: str
    low: int
    high: int


def broken(exported: ExportedProgram, shapes: Any) -> list[str]:
    """Return the conditions that do not hold, each with sizes for which it is false.

    `shapes` are the dynamic axes of the inputs, as torch.export took them. Computed are the conditions that the tracer
    met and took as true, as guards or as assertions: each for all sizes of its dims, or for 100,000 combinations where
    there are more, which are the ends, the powers of two, and then the smallest sizes of each dim.

    Not computed are conditions on sizes that depend on values, and those for a size of 1 of a dim that has others: the
    tracer takes every size to be neither 0 nor 1, mostly without a condition, and what it then specialises (whether an
    axis is broadcast) holds for 1 as well. Trials at the least sizes compare these.
    """
    dims = _dims(exported, shapes)
    found = ((one, _counterexample(one, dims)) for one in _conditions(exported) if one.free_symbols <= dims.keys())
    return [f"`{_text(one, dims)}` is false for {sizes}" for one, sizes in found if sizes is not None]


def _dims(exported: ExportedProgram, shapes: Any) -> dict[Any, _Sizes]:
    """The dims by the tracer's symbols, with our own bounds, from 2 on where a dim has more sizes than 1."""
    import torch

    nodes = {node.name: node for node in exported.graph.nodes}
    found = {}
    for name, axes in zip(exported.graph_signature.user_inputs, _leaves(shapes), strict=True):
        for axis, dim in axes.items():
            size = nodes[name].meta["val"].shape[axis]
            symbols = size.node.expr.free_symbols if isinstance(size, torch.SymInt) else set()
            root = getattr(dim, "root", dim)
            for symbol in symbols:
                if size.node.expr == (dim.fn(symbol) if root is not dim else symbol):
                    found[symbol] = _Sizes(root.__name__, min(max(root.min, 2), root.max), root.max)
    return found


def _leaves(shapes: Any) -> Iterator[Mapping[int, Any]]:
    """The dynamic axes of each input, in order."""
    if isinstance(shapes, Mapping) and all(isinstance(axis, int) for axis in shapes):
        yield shapes
    else:
        for inner in shapes.values() if isinstance(shapes, Mapping) else shapes:
            yield from _leaves(inner)


def _conditions(exported: ExportedProgram) -> list[Any]:
    """The guards and assertions on sizes, each once, in the symbols of the inputs."""
    import torch

    asserted: list[Any] = []
    environments: dict[int, Any] = {}
    for node in exported.graph.nodes:
        value = node.meta.get("val")
        sizes: Sequence[Any] = value.shape if isinstance(value, torch.Tensor) else ()
        used = [size.node.shape_env for size in sizes if isinstance(size, torch.SymInt)]
        environments.update({id(one): one for one in used})
        if node.target is torch.ops.aten._assert_scalar.default:
            held = getattr(node.args[0], "meta", {}).get("val")
            asserted += [held.node.expr] if isinstance(held, torch.SymBool) else []
    guards = [env.replace(guard.expr) for env in environments.values() for guard in env.guards]
    return list(dict.fromkeys([*guards, *asserted]))


def _counterexample(condition: Any, dims: Mapping[Any, _Sizes]) -> str | None:
    """Sizes for which a condition is false."""
    import numpy as np
    from torch.utils._sympy.interp import sympy_interp

    symbols = sorted(condition.free_symbols, key=lambda one: dims[one].name)
    grid = np.meshgrid(*_sampled([dims[one] for one in symbols]), indexing="ij")
    sizes = [axis.ravel() for axis in grid]
    holds = sympy_interp(_Elementwise(), dict(zip(symbols, sizes, strict=True)), condition)
    false = np.flatnonzero(~np.asarray(holds, bool))
    if not len(false):
        return None
    return ", ".join(f"{dims[one].name} = {size[false[0]]}" for one, size in zip(symbols, sizes, strict=True))


def _sampled(ranges: Sequence[_Sizes]) -> list[np.ndarray]:
    """The sizes of each dim that are combined: all, if the combinations are not too many."""
    import numpy as np

    count = [one.high - one.low + 1 for one in ranges]
    left, chosen = _MOST, {}
    # A short dim leaves its share to the longer ones.
    for done, index in enumerate(sorted(range(len(ranges)), key=count.__getitem__)):
        is_whole = prod(count[other] for other in range(len(ranges)) if other not in chosen) <= left
        share = count[index] if is_whole else int(left ** (1 / (len(ranges) - done)) + 1e-9)
        chosen[index] = _some(ranges[index], share)
        left //= len(chosen[index])
    # Objects, because Python's integers do not overflow.
    return [np.array(chosen[index], object) for index in range(len(ranges))]


def _some(sizes: _Sizes, count: int) -> list[int]:
    """So many sizes of a dim: its ends, powers of two, and then the smallest ones."""
    powers = [1 << bit for bit in range(sizes.high.bit_length()) if sizes.low < 1 << bit < sizes.high]
    smallest = range(sizes.low, min(sizes.high, sizes.low + count) + 1)
    return sorted(list(dict.fromkeys([sizes.low, sizes.high, *powers, *smallest]))[:count])


def _text(condition: Any, dims: Mapping[Any, _Sizes]) -> str:
    """A condition with the dims by name."""
    from torch.utils._sympy.printers import PythonPrinter

    names = {one: type(one)(dims[one].name, integer=True) for one in condition.free_symbols}
    return str(PythonPrinter().doprint(condition.xreplace(names)))


class _Elementwise:
    """Torch's arithmetic of sizes, on arrays of Python's integers."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        import numpy as np
        from torch.utils._sympy.reference import PythonReferenceAnalysis

        if name == "sym_sum":
            # It takes a list; without it, sums are added two at a time.
            raise AttributeError(name)
        function = getattr(PythonReferenceAnalysis, name)
        return function if name == "constant" else np.vectorize(function, otypes=[object])
