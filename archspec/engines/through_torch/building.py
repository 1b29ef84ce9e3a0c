"""Build a TensorRT-RTX engine for named GPUs from a program of torch.export, with Torch-TensorRT's converters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from archspec.diagnostics import fail
from archspec.engines.network.digest import digest
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.network.reading import read_network
from archspec.engines.profiles import Shapes
from archspec.engines.rtx.log import RecordingLogger
from archspec.engines.rtx.monitor import Monitor
from archspec.engines.rtx.settings import configure
from archspec.engines.through_torch.lowering import Lowered, lower
from archspec.model.ports import DTypeName, Interface
from archspec.record import record


@record
class CrossBuilt:
    """A serialised engine, the digest of its network, and TensorRT's warnings.

    `coverage` says how many operators were converted into how many engines.
    """

    engine: bytes
    network: str
    coverage: str
    warnings: tuple[str, ...]


def cross_build(
    source: Path,
    interface: Interface,
    dtype: DTypeName,
    profiles: Sequence[Shapes],
    capabilities: Sequence[str],
    tell: Callable[[float], None] = lambda share: None,
) -> CrossBuilt:
    """Convert a program and build one engine that runs on each of the named GPUs, at the sizes of each profile.

    `source` is a file of torch.export; `tell` is called with the share that is done. Raises SpecError E604 for another
    version of Torch-TensorRT, E606 for operators it does not convert and for any error that TensorRT logs, E620 for a
    layer that no check could have computed, E624 for a setting that TensorRT did not keep.
    """
    logger = RecordingLogger()
    lowered = lower(source, interface, dtype, logger)
    config = configure(lowered.builder, capabilities, profiles, Monitor(tell))
    network = digest(plan_of(lowered))
    engine = lowered.builder.build_serialized_network(lowered.network, config)
    logger.raise_if_errors(f"building for {', '.join(capabilities)}")
    if engine is None:
        fail("E606", "TensorRT-RTX built no engine and reported no reason", None)
    return CrossBuilt(
        engine=bytes(engine),
        network=network,
        coverage=f"Torch-TensorRT converted {lowered.converted} of {lowered.operators} operators into one engine",
        warnings=tuple(logger.warnings),
    )


def read_plan(source: Path, interface: Interface, dtype: DTypeName) -> NetworkPlan:
    """Return the network of a program as data. Raises SpecError E604, E606 or E620."""
    logger = RecordingLogger()
    plan = plan_of(lower(source, interface, dtype, logger))
    logger.raise_if_errors("converting the program")
    return plan


def plan_of(lowered: Lowered) -> NetworkPlan:
    """Return a converted network as data. Raises SpecError E620."""
    import tensorrt_rtx as trt

    return read_network(trt, lowered.network, lowered.owner)
