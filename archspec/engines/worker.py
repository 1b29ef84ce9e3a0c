"""Build steps, each of which runs in a process of its own: functions from plain data to plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.engines.engine import Target
from archspec.engines.export import export_onnx
from archspec.engines.module import module_class
from archspec.engines.ort.export import export_ort
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.engines.saved_program import save_program


def initialise(job: dict[str, Any]) -> dict[str, Any]:
    """Save the state of a fresh module, initialised under a seed.

    The job has `program` and `seed`; the weights are written to the program's own path.
    """
    import torch
    from safetensors.torch import save_file

    program = Program.from_json(job["program"])
    torch.manual_seed(job["seed"])
    module = module_class(program.source, program.module)()
    # safetensors refuses tensors that are not contiguous.
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, program.weights)
    return {}


def export(job: dict[str, Any]) -> dict[str, Any]:
    """Write a program in the form that an engine builds from.

    The job has `program`, `dtype`, `form` and the `path` to write.
    """
    save = {"onnx": export_onnx, "ort": export_ort, "program": save_program}[job["form"]]
    path = Path(job["path"])
    path.parent.mkdir(exist_ok=True)
    save(Program.from_json(job["program"]), job["dtype"], path)
    return {}


def build(job: dict[str, Any]) -> dict[str, Any]:
    """Build one target from a program and its exported file.

    The job has `program`, `engine`, `capabilities`, `dtype`, `source` and `folder`. Returns the artifact as plain data.
    """
    target = Target(engine=job["engine"], capabilities=tuple(job["capabilities"]))
    program, source = Program.from_json(job["program"]), Path(job["source"])
    return engine_of(target).build(program, source, target, job["dtype"], Path(job["folder"])).to_json()
