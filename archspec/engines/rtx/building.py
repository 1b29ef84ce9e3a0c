"""Build an engine from an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from archspec.diagnostics import fail
from archspec.engines.network.digest import digest
from archspec.engines.profiles import Shapes
from archspec.engines.rtx.monitor import Monitor
from archspec.engines.rtx.parsing import Parsed, parse
from archspec.engines.rtx.settings import configure
from archspec.record import record


@record
class BuiltEngine:
    """A serialised engine, the digest of the network it was compiled from, and TensorRT's warnings."""

    engine: bytes
    network: str
    warnings: tuple[str, ...]


def build_engine(
    onnx: Path,
    profiles: Sequence[Shapes],
    outputs: Sequence[str],
    capabilities: Sequence[str],
    tell: Callable[[float], None] = lambda share: None,
) -> BuiltEngine:
    """Build one engine that runs on each of the named GPUs, at the sizes of each profile.

    `outputs` are the program's output names; `tell` is called with the share that is done. Raises SpecError E606 if
    TensorRT logs an error or the network's inputs and outputs are not the program's, E620 for a layer that no check
    could have computed, E624 for a setting that TensorRT did not keep.
    """
    return compiled(parse(onnx, profiles[0] if profiles else (), outputs), profiles, capabilities, tell)


def compiled(
    parsed: Parsed,
    profiles: Sequence[Shapes],
    capabilities: Sequence[str],
    tell: Callable[[float], None] = lambda share: None,
) -> BuiltEngine:
    """Build one engine of a network that was read. Raises SpecError as `build_engine` does."""
    config = configure(parsed.builder, capabilities, profiles, Monitor(tell))
    network = digest(parsed.plan())
    engine = parsed.builder.build_serialized_network(parsed.network, config)
    # The logged errors say why there is no engine, so they are reported first.
    parsed.logger.raise_if_errors(f"building for {', '.join(capabilities)}")
    if engine is None:
        fail("E606", "TensorRT-RTX built no engine and reported no reason", None)
    return BuiltEngine(engine=bytes(engine), network=network, warnings=tuple(parsed.logger.warnings))
