"""Memory that an operation will need, compared with the memory that is free, before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archspec.analyses.cost import BYTES
from archspec.diagnostics import fail
from archspec.ir.types import TensorType

# torch counts elements in int64.
_MOST_ELEMENTS = 2**63 - 1
# Bytes of inputs that are not compared: there are always as many, and to read what is free takes a millisecond.
_FEW = 1 << 20
_SYSTEM = Path("/proc/meminfo")
# The paths of version 2 of control groups, then those of version 1.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available() -> int | None:
    """Bytes of memory that this process may still allocate, or None where the system does not report it.

    The least of what the system (with its free swap) and the control groups of versions 1 and 2 allow.
    """
    found = [_of_system(), *(_of_group(Path(limit), Path(used)) for limit, used in _GROUPS)]
    return min((free for free in found if free is not None), default=None)


def require(size: int, what: str, help: str) -> None:
    """Raise SpecError E504 where `size` bytes are more than is free; `what` names them in the message.

    Where the system reports nothing, nothing is refused.
    """
    free = available()
    if free is not None and size > free:
        fail("E504", f"{what} ({in_words(size)}), but only {in_words(free)} of memory is free", None, help=help)


def require_parameters(name: str, elements: int, element_bytes: int, *, allocated: bool) -> None:
    """Raise SpecError E504 for parameters that do not fit in memory.

    Parameters that are not `allocated` (on the meta device) are only refused where torch cannot count their elements.
    """
    help = 'choose smaller constants, or create it under `torch.device("meta")`, which allocates nothing'
    if elements > _MOST_ELEMENTS:
        fail("E504", f"`{name}` has {elements:,} parameters, more than a tensor can hold", None, help=help)
    if allocated:
        require(elements * element_bytes, f"`{name}` has {elements:,} parameters", help)


def require_inputs(types: Mapping[str, TensorType], sizes: Mapping[str, int]) -> None:
    """Raise SpecError E504 where inputs of these types do not fit in memory at these sizes of the dims."""
    taken = {name: type_.elements().value(sizes) * BYTES[type_.dtype] for name, type_ in types.items()}
    if sum(taken.values()) > _FEW:
        largest = max(taken, key=lambda name: taken[name])
        at = ", ".join(f"{name} = {size:,}" for name, size in sizes.items())
        require(sum(taken.values()), f"`{largest}` is {types[largest]} at {at}", "narrow the range of the dims")


def in_words(size: int) -> str:
    """A number of bytes with a decimal unit and three digits: `4.1 TB`."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        # From half below, three digits are those of a thousand.
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.0f} EB"


def _of_system() -> int | None:
    try:
        lines = _SYSTEM.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    kilobytes = {line.partition(":")[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    if "MemAvailable" not in kilobytes:
        return None
    # `/proc/meminfo` counts in units of 1024 bytes.
    return 1024 * (int(kilobytes["MemAvailable"]) + int(kilobytes.get("SwapFree", "0")))


def _of_group(limit: Path, used: Path) -> int | None:
    """Bytes that the control group leaves, or None where it sets no limit."""
    try:
        most, taken = limit.read_text(encoding="ascii").strip(), used.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    # A group without a limit holds the word `max` here.
    return max(int(most) - int(taken), 0) if most.isdecimal() and taken.isdecimal() else None
