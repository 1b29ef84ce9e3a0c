"""The programs of the tensor ranks of a spec, exported for TensorRT, with the whole model beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from archspec.bundle.rank_weights import write_part
from archspec.checking import accepted
from archspec.contract.lowered import RanksRunner
from archspec.engines.export import export_onnx
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.program import Program
from archspec.engines.registry import network_engine
from archspec.lower.naming import class_name
from archspec.lower.rank_programs import rank_plan
from archspec.model.ports import DTypeName, interface_of
from archspec.model.samples import sample
from archspec.model.sizes import odd
from archspec.oracle.interpreter import interpret
from tests.analyses.sharding.test_ranks import WIDER, drawn


class LoweredRanks:
    """The ranks of a reduced spec in a folder, with random weights that are large enough for all of them to matter."""

    def __init__(
        self, name: str, ranks: int, folder: Path, dtype: DTypeName = "float32", more: Sequence[str] = ()
    ) -> None:
        self.checked = accepted(name, reduced=True, set=(*WIDER.get(name, ()), *more))
        self.spec, self.folder, self.dtype = self.checked.spec, folder, dtype
        self.split = rank_plan(self.spec, ranks)
        self.whole = {key: one.float() for key, one in drawn(self.split.graph).items()}
        save_file(self.whole, folder / "whole.safetensors")
        self.programs = [self.program(rank, text) for rank, text in enumerate(self.split.texts(self.checked))]

    def program(self, rank: int, text: str) -> Program:
        """Write the module and the weights of a rank."""
        source, weights = self.folder / f"rank_{rank}.py", self.folder / f"rank_{rank}.safetensors"
        source.write_text(text)
        ranks = self.split.plan.ranks
        write_part(self.folder / "whole.safetensors", self.split.placements, rank, ranks, weights)
        interface = interface_of(self.spec)
        return Program(
            source=source, module=class_name(self.spec.name), weights=weights, interface=interface, ranks=ranks
        )

    def exported(self, rank: int) -> Path:
        """The ONNX file of a rank."""
        path = self.folder / f"rank_{rank}.onnx"
        if not path.exists():
            export_onnx(self.programs[rank], self.dtype, path)
        return path

    @cached_property
    def plans(self) -> list[NetworkPlan]:
        """The networks of all ranks."""
        engine = network_engine("tensorrt-rtx")
        return [engine.plan(one, self.exported(rank), self.dtype) for rank, one in enumerate(self.programs)]

    @cached_property
    def inputs(self) -> dict[str, np.ndarray]:
        """Random inputs at odd sizes."""
        interface = interface_of(self.spec)
        return sample(interface, odd(interface.symbols), 0)

    @cached_property
    def wanted(self) -> dict[str, np.ndarray]:
        """The outputs of the whole model, by the interpreter."""
        return interpret(self.spec.graph, self.inputs, {key: one.numpy() for key, one in self.whole.items()})

    def differs(self, plans: Sequence[NetworkPlan]) -> float:
        """The largest difference of any rank's outputs from the interpreter, relative to the largest value."""
        pairs = [(one[key], y) for one in RanksRunner(plans).each(self.inputs) for key, y in self.wanted.items()]
        return max(float(np.abs(x - y).max() / max(1.0, np.abs(y).max())) for x, y in pairs)
