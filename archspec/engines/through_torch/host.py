"""Torch-TensorRT on a host with a GPU: compile for that GPU, save, load and run.

Follows Torch-TensorRT's documentation, with settings that keep it from treating a mask as causal. Runs on CUDA hosts
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.engines.dynamic import dynamic_shapes
from archspec.engines.module import example_inputs, named_outputs, port_dtype
from archspec.engines.profiles import declared, shapes
from archspec.model.ports import DTypeName, Interface
from archspec.model.sizes import example

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEVICE = "cuda"


def compile_for_host(source: Path, interface: Interface, dtype: DTypeName, path: Path) -> None:
    """Compile every operator of an exported program into one engine for this host's GPU, and save it.

    `source` is a file of torch.export, `path` the file to write. Raises SpecError E606.
    """
    import torch
    import torch_tensorrt
    from torch.export.passes import move_to_device_pass

    ports = interface.input_ports
    arguments = tuple(tensor.to(DEVICE) for tensor in example_inputs(ports, example(interface.symbols), dtype))
    ranges = shapes(ports, declared(interface.symbols))
    given = [
        torch_tensorrt.Input(min_shape=least, opt_shape=typical, max_shape=largest, dtype=port_dtype(port, dtype))
        for port in ports
        for least, typical, largest in (ranges[port.name],)
    ]
    try:
        compiled = torch_tensorrt.dynamo.compile(
            move_to_device_pass(torch.export.load(source), DEVICE),
            arg_inputs=given,
            attn_bias_is_causal=False,
            disable_tf32=True,
            immutable_weights=True,
            min_block_size=1,
            require_full_compilation=True,
            truncate_double=False,
        )
        dims = (dynamic_shapes(ports),)
        torch_tensorrt.save(compiled, str(path), arg_inputs=list(arguments), dynamic_shapes=dims)
    except (RuntimeError, ValueError, AssertionError) as error:
        fail("E606", "Torch-TensorRT did not compile the program", None, notes=str(error).splitlines()[:6])


class HostModule:
    """A saved module on this host's GPU."""

    def __init__(self, path: Path, interface: Interface) -> None:
        """Load the module in `path`. Raises SpecError E610."""
        import torch_tensorrt

        try:
            self._module = torch_tensorrt.load(str(path)).module().to(DEVICE)
        except (RuntimeError, ValueError) as error:
            fail("E610", f"Torch-TensorRT cannot open {path.name}", None, notes=str(error).splitlines()[:6])
        self._ports = interface.input_ports
        self._outputs = tuple(interface.outputs)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return outputs by name. Raises SpecError E610 if the engine fails."""
        import torch

        try:
            with torch.inference_mode():
                arguments = [torch.from_numpy(inputs[port.name]).to(DEVICE) for port in self._ports]
                found = named_outputs(self._module(*arguments), self._outputs)
        except RuntimeError as error:
            fail("E610", "Torch-TensorRT failed on these inputs", None, notes=str(error).splitlines()[:6])
        return {name: tensor.cpu().numpy() for name, tensor in found.items()}
