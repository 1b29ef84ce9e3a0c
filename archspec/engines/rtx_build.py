"""An ONNX file to a TensorRT-RTX engine. Imported only where the package is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorrt_rtx as trt

from archspec.diagnostics import fail
from archspec.engines.sizes import Shape
from archspec.record import record

Shapes = Mapping[str, tuple[Shape, Shape, Shape]]
MAX_NOTES = 8


@record
class BuiltEngine:
    """A serialised engine, and what TensorRT warned of."""

    engine: bytes
    warnings: tuple[str, ...]


class RecordingLogger(trt.ILogger):  # type: ignore[misc]
    """Keeps what TensorRT says: it reports many mistakes by a logged error alone, and goes on."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def log(self, severity: Any, message: str) -> None:
        """Called by TensorRT for every message."""
        if severity <= trt.ILogger.Severity.ERROR:
            self.errors.append(message)
        elif severity == trt.ILogger.Severity.WARNING and message not in self.warnings:
            self.warnings.append(message)

    def raise_if_errors(self, step: str) -> None:
        """Raise SpecError E606 with every error logged so far."""
        if self.errors:
            notes = [" ".join(error.split()) for error in self.errors[:MAX_NOTES]]
            fail("E606", f"TensorRT-RTX reported an error while {step}", None, notes=notes)


def build_engine(onnx: Path, shapes: Shapes, outputs: tuple[str, ...], capabilities: tuple[str, ...]) -> BuiltEngine:
    """Build one engine that runs on each of the GPUs named.

    `shapes` gives every input's least, typical and largest shape. Raises SpecError E606 if TensorRT logs any error,
    or if the network's inputs and outputs are not those of the program.
    """
    logger = RecordingLogger()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse_from_file(str(onnx))
    logger.raise_if_errors("reading the network")
    if not parsed:
        fail("E606", "TensorRT-RTX did not take the network", None, notes=_parser_errors(parser))
    _check_names(network, shapes, outputs)
    config = builder.create_builder_config()
    # Or float32 products would be rounded to ten bits, which no one asked for.
    config.clear_flag(trt.BuilderFlag.TF32)
    _set_profile(builder, config, shapes)
    _set_capabilities(config, capabilities)
    engine = builder.build_serialized_network(network, config)
    logger.raise_if_errors(f"building for {', '.join(capabilities)}")
    if engine is None:
        fail("E606", "TensorRT-RTX built nothing and gave no reason", None)
    return BuiltEngine(engine=bytes(engine), warnings=tuple(logger.warnings))


def _parser_errors(parser: Any) -> list[str]:
    return [" ".join(str(parser.get_error(index)).split()) for index in range(min(parser.num_errors, MAX_NOTES))]


def _check_names(network: Any, shapes: Shapes, outputs: tuple[str, ...]) -> None:
    inputs = [network.get_input(index).name for index in range(network.num_inputs)]
    results = [network.get_output(index).name for index in range(network.num_outputs)]
    for kind, found, wanted in (("inputs", inputs, shapes), ("outputs", results, outputs)):
        if sorted(found) != sorted(wanted):
            message = f"the network's {kind} are {', '.join(found)}; the program's are {', '.join(wanted)}"
            fail("E606", message, None)


def _set_profile(builder: Any, config: Any, shapes: Shapes) -> None:
    profile = builder.create_optimization_profile()
    for name, (least, typical, largest) in shapes.items():
        profile.set_shape(name, least, typical, largest)
    if config.add_optimization_profile(profile) < 0:
        fail("E606", "TensorRT-RTX refused the optimisation profile", None, notes=[str(dict(shapes))])


def _set_capabilities(config: Any, capabilities: tuple[str, ...]) -> None:
    config.num_compute_capabilities = len(capabilities)
    for index, name in enumerate(capabilities):
        if not config.set_compute_capability(getattr(trt.ComputeCapability, name.upper()), index):
            fail("E606", f"TensorRT-RTX refused the target {name}", None)
