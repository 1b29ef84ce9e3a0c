"""What artifacts are bound to: the kind of processor, with the kinds that can run its code, and this host's GPU."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

from archspec.record import record

LEVELS = {"DEFAULT": "x86-64", "AVX2": "x86-64-v3", "AVX512": "x86-64-v4"}
"""torch's name for the capability of an x86 processor, and the instruction set level by its compiler name."""
_ORDER = tuple(LEVELS.values())


def this_host() -> str:
    """Return system and processor level: `linux x86-64-v3`; for other processors, the name of the machine type."""
    import torch

    machine = platform.machine().lower()
    known = LEVELS.get(torch.backends.cpu.get_cpu_capability()) if machine in ("x86_64", "amd64") else None
    return f"{sys.platform} {known or machine}"


def runs_on(built_for: str, host: str) -> bool:
    """Whether code built for one host runs on another: the same kind, or an x86 processor of a higher level.

    Both are texts of `this_host`.
    """
    system, _, level = built_for.partition(" ")
    here, _, able = host.partition(" ")
    # Each level includes the instructions of those below.
    if level in _ORDER and able in _ORDER:
        return system == here and _ORDER.index(level) <= _ORDER.index(able)
    return built_for == host


@record
class Gpu:
    """A GPU by its name and its compute capability, written as in targets: `sm89`."""

    name: str
    capability: str

    def __str__(self) -> str:
        return f"{self.name} ({self.capability})"


def this_gpu() -> Gpu | None:
    """Return the GPU that torch computes on; None if there is none, or torch is built without CUDA."""
    if version("torch").endswith("+cpu"):
        return None  # known without loading torch
    import torch

    if not torch.cuda.is_available():
        return None
    return Gpu(name=torch.cuda.get_device_name(), capability="sm{}{}".format(*torch.cuda.get_device_capability()))
