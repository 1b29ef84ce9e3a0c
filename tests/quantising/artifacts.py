"""Shipped specs with weights as integers: exported once, and run by every engine that needs no GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from archspec.bundle.parity import float_arrays
from archspec.bundle.sources import MODULE, WEIGHTS
from archspec.checking import accepted, compile
from archspec.contract.difference import difference
from archspec.contract.fill import DEVIATION, fill
from archspec.contract.lowered import NetworkRunner
from archspec.engines.export import export_onnx
from archspec.engines.opening import open_artifact
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, target_of
from archspec.ir.graph import Graph
from archspec.lower import emit
from archspec.lower.naming import class_name
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import odd
from archspec.oracle.interpreter import interpret
from archspec.quantising.plan import Plan, plan_of, read_wishes
from archspec.quantising.spec import quantised
from archspec.quantising.tensors import stored_tensors
from archspec.spec import load
from tests.steps import operators_read_once

ENGINES = ("onnx", "openvino", "tensorrt-rtx")
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A spec whose weights are integers, its ONNX file, inputs, and what the interpreter makes of these in float64."""

    plan: Plan
    graph: Graph
    program: Program
    onnx: Path
    inputs: Arrays
    wanted: Arrays

    def run(self, engine: str, onnx: Path) -> Arrays:
        """The outputs of a file that is built by an engine; of TensorRT the network is computed."""
        interface = self.program.interface
        if engine == "tensorrt-rtx":
            from archspec.engines.rtx.parsing import parse

            return NetworkRunner(parse(onnx, interface.inputs, interface.outputs).plan()).run(self.inputs)
        target, folder = target_of(engine), onnx.with_name(f"{engine}.{onnx.stem}")
        folder.mkdir()
        (artifact,) = (engine_of(target).build(self.program, onnx, target, "float32", folder),)
        return open_artifact(target, folder / artifact.files[0], interface).run(self.inputs)

    def off(self, engine: str, onnx: Path | None = None) -> float:
        """The largest difference from the interpreter, as a share of the largest value of an output or 1."""
        found = self.run(engine, onnx or self.onnx)
        return max(difference(found[name], wanted).share() for name, wanted in self.wanted.items())


def stored(name: str, formats: Sequence[str], folder: Path, deviation: float = DEVIATION) -> Case:
    """Export a shipped spec at its reduced size, its filled weights rounded."""
    spec = load(name, reduced=True)
    plan = plan_of(spec.graph, read_wishes(formats))
    made = quantised(spec, plan)
    (folder / MODULE).write_text(emit(accepted(made)))
    floats = fill(compile(spec), deviation=deviation).state_dict()
    save_file({key: one.contiguous() for key, one in stored_tensors(made.graph, floats)}, folder / WEIGHTS)
    interface = interface_of(spec)
    program = Program(
        source=folder / MODULE, module=class_name(spec.name), weights=folder / WEIGHTS, interface=interface
    )
    onnx = folder / "model.onnx"
    with operators_read_once():
        export_onnx(program, "float32", onnx)
    sizes = odd(interface.symbols)
    inputs = sample(interface, sizes, 7)
    wanted = interpret(made.graph, inputs, float_arrays(folder / WEIGHTS), sizes)
    return Case(plan=plan, graph=made.graph, program=program, onnx=onnx, inputs=inputs, wanted=wanted)
