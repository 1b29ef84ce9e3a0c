"""The settings of a build, each read back after it is set: TensorRT ignores some silently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorrt_rtx as trt

from archspec.diagnostics import fail
from archspec.engines.profiles import Shapes


def configure(builder: Any, capabilities: Sequence[str], profiles: Sequence[Shapes], monitor: Any) -> Any:
    """Return the settings of a build for these GPUs and profiles.

    Raises SpecError E606 for what TensorRT refuses, E624 for what it did not keep.
    """
    config = builder.create_builder_config()
    # With TF32, the inputs of float32 products would be rounded to ten bits of mantissa.
    config.clear_flag(trt.BuilderFlag.TF32)
    kept("TF32", config.get_flag(trt.BuilderFlag.TF32), False)
    config.progress_monitor = monitor
    _set_capabilities(config, capabilities)
    for shapes in profiles:
        _add_profile(builder, config, shapes)
    kept("number of optimisation profiles", config.num_optimization_profiles, len(profiles))
    return config


def _set_capabilities(config: Any, names: Sequence[str]) -> None:
    """Set the GPUs that the engine is for."""
    config.num_compute_capabilities = len(names)
    kept("number of GPUs", config.num_compute_capabilities, len(names))
    for index, name in enumerate(names):
        wanted = getattr(trt.ComputeCapability, name.upper())
        if not config.set_compute_capability(wanted, index):
            fail("E606", f"TensorRT-RTX refused the target {name}", None)
        kept(f"GPU {name}", config.get_compute_capability(index), wanted)


def _add_profile(builder: Any, config: Any, shapes: Shapes) -> None:
    """Add one optimisation profile."""
    profile = builder.create_optimization_profile()
    for name, points in shapes.items():
        profile.set_shape(name, *points)
        kept(f"profile of `{name}`", [tuple(point) for point in profile.get_shape(name)], list(points))
    if config.add_optimization_profile(profile) < 0:
        fail("E606", "TensorRT-RTX refused the optimisation profile", None, notes=[str(dict(shapes))])


def kept(what: str, found: object, wanted: object) -> None:
    """Raise E624 if a setting is not what it was set to."""
    if found != wanted:
        notes = [f"it was set to {wanted} but is {found}"]
        fail("E624", f"TensorRT-RTX did not keep the setting `{what}`", None, notes=notes)
