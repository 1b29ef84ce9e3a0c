"""Express the dims of a program for torch.export: one shared Dim for each symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.algebra.dim import Dim, Symbol
from archspec.diagnostics import fail
from archspec.model.ports import Port
from archspec.model.sizes import is_fixed


def dynamic_shapes(ports: Sequence[Port]) -> tuple[dict[int, Any], ...]:
    """Return the dynamic axes of each port, by position, as torch's Dims.

    A symbol with multiple m becomes `m * Dim`: a plain one fails to export. Axes with the same symbol share one Dim.
    Raises SpecError E608 for an axis that is not a multiple of one dim plus a number.
    """
    roots: dict[str, Any] = {}
    return tuple(_axes(port, roots) for port in ports)


def _axes(port: Port, roots: dict[str, Any]) -> dict[int, Any]:
    """Return the dynamic axes of one port by position."""
    sizes = enumerate(port.type.shape)
    return {index: _dynamic(size, port, roots) for index, size in sizes if not _is_static(size)}


def _is_static(size: Dim) -> bool:
    """Whether a size has no symbol that varies."""
    return all(is_fixed(symbol) for symbol in size.symbols())


def _dynamic(size: Dim, port: Port, roots: dict[str, Any]) -> Any:
    """Return one size in terms of torch's Dims; `roots` holds those made so far, by symbol."""
    factor, symbol, offset = affine(size, port)
    dim = _root(symbol, roots)
    scaled = dim if factor == 1 else factor * dim
    return scaled + offset if offset else scaled


def affine(size: Dim, port: Port) -> tuple[int, Symbol, int]:
    """Return `size` as `factor * (symbol // multiple) + offset`. Raises SpecError E608 if it has another form."""
    rest = dict(size.terms)
    # The term without factors is the offset.
    offset = rest.pop((), 0)
    atoms, factor = next(iter(rest.items()))
    atom = atoms[0]
    # torch.export can only derive a size from one Dim, by a factor and an offset.
    if len(rest) == len(atoms) == 1 and isinstance(atom, Symbol) and factor > 0:
        return factor, atom, offset
    message = f"the axis `{size}` of `{port.name}` cannot be exported: it is not a multiple of one dim plus a number"
    return fail("E608", message, None, help="declare a dim for the axis, and derive the other sizes from it")


def _root(symbol: Symbol, roots: dict[str, Any]) -> Any:
    """Return the Dim of a symbol, the same for all axes; for a symbol with a multiple it counts multiples."""
    from torch.export import Dim as TorchDim

    if symbol.name not in roots:
        name = symbol.name if symbol.multiple == 1 else f"{symbol.name}_by_{symbol.multiple}"
        # With a multiple these bounds count multiples, which is what torch's Dim then stands for.
        low, high = symbol.bounds()
        roots[symbol.name] = TorchDim(name, min=low, max=high)
    return roots[symbol.name]
