"""Parse an ONNX file into a TensorRT network; used both to compute a network and to compile it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorrt_rtx as trt

from archspec.diagnostics import fail
from archspec.engines.exchanges import exchanges_of
from archspec.engines.network.needed import needed
from archspec.engines.network.plan import Attributes, NetworkPlan
from archspec.engines.network.reading import read_network
from archspec.engines.program import Program
from archspec.engines.rtx.caches import Caches
from archspec.engines.rtx.log import MAX_NOTES, RecordingLogger
from archspec.engines.rtx.scales import with_positive_scales
from archspec.record import record


@record(eq=False)
class Parsed:
    """A network and the objects that must live as long: parser and caches hold the memory of its constants."""

    logger: RecordingLogger
    builder: Any
    network: Any
    parser: Any
    caches: Caches | None = None
    exchanges: Mapping[str, Attributes] = field(default_factory=dict)

    def plan(self) -> NetworkPlan:
        """Return the network as data. Raises SpecError E620."""
        before = len(self.logger.errors)
        found = needed(self._read())
        # Reading an attribute that an input supplies, such as the shape of a resize, is logged as an error.
        del self.logger.errors[before:]
        return found

    def _read(self) -> NetworkPlan:
        owners = (self.parser, self.builder, self.logger, self.caches)
        return read_network(trt, self.network, *owners, exchanges=self.exchanges)


def parse(onnx: Path, inputs: Iterable[str], outputs: Iterable[str]) -> Parsed:
    """Parse a file with the weights next to it; `inputs` and `outputs` are the names that it must have.

    Raises SpecError E606 for any error that TensorRT logs or other names, E624 for a network that is not strongly
    typed.
    """
    logger = RecordingLogger()
    builder = trt.Builder(logger)
    flag = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    network = builder.create_network(1 << int(flag))
    if not network.get_flag(flag):
        fail("E624", "TensorRT-RTX did not keep the setting `STRONGLY_TYPED`", None)
    parser = trt.OnnxParser(network, logger)
    with TemporaryDirectory() as folder:
        parsed = parser.parse_from_file(str(with_positive_scales(onnx, Path(folder))))
    logger.raise_if_errors("reading the network")
    if not parsed:
        fail("E606", "TensorRT-RTX rejected the network", None, notes=_errors(parser))
    _check_names(network, list(inputs), list(outputs))
    return Parsed(logger=logger, builder=builder, network=network, parser=parser)


def parse_program(program: Program, onnx: Path) -> Parsed:
    """Parse the exported file of a program; the step of a decoder gets TensorRT's layers of caches.

    Raises SpecError as `parse` does, and E606 for a state that is written in an unknown way.
    """
    parsed = parse(onnx, program.interface.inputs, program.interface.outputs)
    if program.ranks > 1:
        return replace(parsed, exchanges=exchanges_of(onnx))
    if program.state is None:
        return parsed
    caches = Caches(parsed.network, program.state, program.ranges())
    caches.place()
    parsed.logger.raise_if_errors("placing the caches")
    return replace(parsed, caches=caches)


def _errors(parser: Any) -> list[str]:
    """Return the parser's errors, each on one line."""
    return [" ".join(str(parser.get_error(index)).split()) for index in range(min(parser.num_errors, MAX_NOTES))]


def _check_names(network: Any, inputs: list[str], outputs: list[str]) -> None:
    """Raise E606 if inputs or outputs have other names than the program's."""
    given = [network.get_input(index).name for index in range(network.num_inputs)]
    results = [network.get_output(index).name for index in range(network.num_outputs)]
    for kind, found, wanted in (("inputs", given, inputs), ("outputs", results, outputs)):
        if sorted(found) != sorted(wanted):
            message = f"the network's {kind} are {', '.join(found)}; the program's are {', '.join(wanted)}"
            fail("E606", message, None)
