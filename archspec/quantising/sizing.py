"""Which formats lose least within a size: each weight in one of several, whose bytes and losses are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph
from archspec.ir.storage import Storage
from archspec.layouts.parameters import shape_of
from archspec.passes.quantise import storable
from archspec.quantising.formats import Format
from archspec.quantising.plan import BYTE, Plan, suited_storage
from archspec.record import record

FLOAT_BYTES = 4
_MOST_STATES = 20_000


@record
class Option:
    """One way to store a weight: None for floats; the bytes that it takes in all layers, and what it alone loses."""

    storage: Storage | None
    bytes: int
    loss: float = 0.0


def read_option(data: Sequence[Any]) -> Option:
    """Return the option that `written_option` wrote, without its loss."""
    bits, channels, block, taken = data
    return Option(storage=Storage(bits=bits, channels=channels, block=block) if bits else None, bytes=taken)


def written_option(option: Option) -> list[Any]:
    """An option as plain data."""
    one = option.storage
    return [None, None, None, option.bytes] if one is None else [one.bits, one.channels, one.block, option.bytes]


def options(graph: Graph, plan: Plan, free: Sequence[str]) -> dict[str, list[Option]]:
    """The ways to store each of the parameters `free`, from that of a plan to floats, and what they take.

    Between these are eight bits with a scale for each channel, and for each block where the plan has blocks.
    """
    known, counted = storable(graph), _sizes(graph)
    found = {}
    for path in free:
        least = plan[path]
        formats = [BYTE] if least.block is None else [BYTE, Format(bits=8, block=least.block)]
        stored = [least, *(suited_storage(known[path], format) for format in formats)]
        # The same one may come twice, as for a table, and fewer bits than the plan's never.
        ways = [one for one in dict.fromkeys(stored) if one.bits >= least.bits]
        made = [Option(storage=one, bytes=_bytes(one, counted[path])) for one in (*ways, None)]
        found[path] = [one for one in made if one.bytes >= made[0].bytes]
    return found


def stored_bytes(graph: Graph) -> int:
    """The bytes of all that a graph stores, as engines do: integers of four bits take half a byte.

    That is weights with their scales, and the scales of rounded values.
    """
    found = expand(graph).values()
    scales = {id(one.scale) for one in found if one.scale is not None}
    return sum(_tensor_bytes(one.stored, shape_of(one.type)) for one in found if id(one) not in scales)


def chosen(options: Mapping[str, Sequence[Option]], size: int) -> dict[str, Option] | None:
    """The options with the least sum of losses whose bytes are at most `size`; None where none are.

    Partial sums are kept that no other one beats in bytes and loss, so that the choice is exact; of more than some
    thousand of these, the ones that hardly differ from another are left out.
    """
    states: list[tuple[int, float, tuple[Option, ...]]] = [(0, 0.0, ())]
    # What the rest takes at least is set aside, so that no state has to be given up later.
    rest = sum(min(one.bytes for one in ways) for ways in options.values())
    if rest > size:
        return None
    for ways in options.values():
        rest -= min(one.bytes for one in ways)
        grown = (
            (taken + one.bytes, lost + one.loss, (*path, one))
            for taken, lost, path in states
            for one in ways
            if taken + one.bytes + rest <= size
        )
        states = _unbeaten(sorted(grown, key=lambda state: state[:2]))
    return dict(zip(options, min(states, key=lambda state: (state[1], state[0]))[2], strict=True))


def _unbeaten(
    ordered: Sequence[tuple[int, float, tuple[Option, ...]]],
) -> list[tuple[int, float, tuple[Option, ...]]]:
    """Of states by bytes, those that lose less than all smaller ones."""
    found: list[tuple[int, float, tuple[Option, ...]]] = []
    for state in ordered:
        if not found or state[1] < found[-1][1]:
            found.append(state)
    step = -(-len(found) // _MOST_STATES)
    return found if step <= 1 else [*found[:-1:step], found[-1]]


def _sizes(graph: Graph) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of the tensors of all layers, by the path of their parameter."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for parameter in expand(graph).values():
        found.setdefault(parameter.path, []).append(shape_of(parameter.type))
    return found


def _bytes(storage: Storage | None, shapes: Sequence[tuple[int, ...]]) -> int:
    return sum(_tensor_bytes(storage, shape) for shape in shapes)


def _tensor_bytes(storage: Storage | None, shape: tuple[int, ...]) -> int:
    if storage is None:
        return FLOAT_BYTES * _elements(shape)
    return -(-storage.bits * _elements(shape) // 8) + FLOAT_BYTES * _elements(storage.scales(shape))


def _elements(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def stored_options(options: Mapping[str, Sequence[Option]]) -> Iterator[tuple[str, int, Storage]]:
    """The options that are integers: path, place among those of the path, and storage."""
    for path, ways in options.items():
        yield from ((path, place, one.storage) for place, one in enumerate(ways) if one.storage is not None)
