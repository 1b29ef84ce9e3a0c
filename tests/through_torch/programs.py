"""Specs as programs on disk."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from archspec.checking import accepted
from archspec.checking import compile as compile_module
from archspec.engines.program import Program
from archspec.lower import emit
from archspec.lower.naming import class_name
from archspec.model.ports import interface_of
from archspec.spec import Spec


def program_of(spec: Spec, folder: Path) -> Program:
    """The emitted file and fresh weights of a spec, in a folder."""
    (folder / "model.py").write_text(emit(accepted(spec)))
    state = compile_module(spec).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "weights.safetensors")
    return Program(
        source=folder / "model.py",
        module=class_name(spec.name),
        weights=folder / "weights.safetensors",
        interface=interface_of(spec),
    )
