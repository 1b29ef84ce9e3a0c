"""Open the artifacts of a target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archspec.engines.engine import RoundingEngine, Target
from archspec.engines.registry import engine_of
from archspec.engines.step_session import StepSession
from archspec.model.ports import Interface
from archspec.model.runner import Runner


def rounds(target: Target) -> bool:
    """Whether the runtime of a target can round what it multiplies with quantised weights."""
    return isinstance(engine_of(target), RoundingEngine)


def open_artifact(target: Target, path: Path, interface: Interface, *, rounded: bool = False) -> Runner:
    """Open an artifact by its first file.

    With `rounded`, the runtime rounds what it multiplies with quantised weights, if it can. Raises SpecError E610.
    """
    engine = engine_of(target)
    if isinstance(engine, RoundingEngine):
        return engine.open(path, interface, rounded=rounded)
    return engine.open(path, interface)


def open_step(
    target: Target, path: Path, interface: Interface, updates: Mapping[str, str], *, rounded: bool = False
) -> StepSession:
    """Open the step of a decoder by its first file; see `open_artifact`."""
    engine = engine_of(target)
    if isinstance(engine, RoundingEngine):
        return engine.open_step(path, interface, updates, rounded=rounded)
    return engine.open_step(path, interface, updates)
