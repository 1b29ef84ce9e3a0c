"""What a bundle takes from a spec: its interface, its texts, the emitted module."""

from __future__ import annotations

from archspec.bundle.spec_text import spec_text
from archspec.engines.interface import DimRange, InputPort, Interface
from archspec.lower.emission import emit
from archspec.spec import InputSpec, Spec

SPEC = "spec.yaml"
ORIGINAL = "spec.original.yaml"
MODULE = "model.py"
WEIGHTS = "model.safetensors"


def interface_of(spec: Spec) -> Interface:
    """Dims, inputs and outputs of a spec, sizes resolved."""
    dims = {
        name: DimRange(min=d.min, typical=d.typical, max=d.max, multiple=d.multiple) for name, d in spec.dims.items()
    }
    inputs = {name: _port(given) for name, given in spec.inputs.items()}
    return Interface(dims=dims, inputs=inputs, outputs={name: str(v.type) for name, v in spec.outputs.items()})


def _port(given: InputSpec) -> InputPort:
    return InputPort(type=str(given.type), default=given.default, padding=given.padding, sorted=given.sorted)


def texts_of(spec: Spec) -> dict[str, str]:
    """The text files of a bundle: the resolved spec, the one that was written, and the emitted module."""
    original = spec.path.read_text(encoding="utf-8")
    return {SPEC: spec_text(spec.tree), ORIGINAL: original, MODULE: emit(spec)}
