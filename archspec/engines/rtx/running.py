"""Run an engine on a GPU with TensorRT-RTX's runtime, on torch's tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import tensorrt_rtx as trt
import torch
from torch import Tensor

from archspec.diagnostics import fail
from archspec.engines.rtx.log import MAX_NOTES, RecordingLogger

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEVICE = "cuda"
POSITIONS = 2
"""The axis of positions in a cache [b h length d]."""
_DTYPES = {
    trt.float32: torch.float32,
    trt.float16: torch.float16,
    trt.bfloat16: torch.bfloat16,
    trt.int64: torch.int64,
    trt.int32: torch.int32,
    trt.bool: torch.bool,
}


class OpenedEngine:
    """An engine as a function of tensors in the order of `inputs`; it runs on torch's current stream.

    If there are several optimisation profiles, the first that admits the shapes is used. `buffers` gives, for inputs
    [b h length d] of a decoder's state, the output that replaces each: a cache is written in place, as TensorRT needs.
    """

    def __init__(
        self, path: Path, inputs: Sequence[str], outputs: Sequence[str], buffers: Mapping[str, str] | None = None
    ) -> None:
        """Load the engine in `path`. Raises SpecError E610 if the runtime rejects it."""
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._name = path.name
        self._logger, self._heard = RecordingLogger(), 0
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            self._fail(f"TensorRT-RTX does not open {path.name}")
        self._contexts: dict[int, Any] = {}
        sizes = {old: self._engine.get_tensor_shape(old)[POSITIONS] for old in buffers or {}}
        # A buffer that no layer of caches writes has a length that is only known at run time.
        self._in_place = {new: old for old, new in (buffers or {}).items() if sizes[old] > 0}
        self.capacity: int | None = next((sizes[old] for old in self._in_place.values()), None)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs in order, on the GPU.

        Inputs are moved to the GPU and to the engine's dtypes. Raises SpecError E610 for shapes that no profile admits,
        and if the engine fails.
        """
        # Errors of earlier calls say nothing about this one.
        self._heard = len(self._logger.errors)
        # The engine gets an address alone, so the values must lie close together.
        given = {
            name: tensor.to(DEVICE, self._dtype(name)).contiguous()
            for name, tensor in zip(self.inputs, tensors, strict=True)
        }
        context = self._context({name: tuple(tensor.shape) for name, tensor in given.items()})
        for name, tensor in given.items():
            self._done(context.set_input_shape(name, tuple(tensor.shape)), f"the shape of `{name}`")
            self._done(context.set_tensor_address(name, tensor.data_ptr()), f"the input `{name}`")
        found = {name: self._output(context, name, given) for name in self.outputs}
        for name, tensor in found.items():
            self._done(context.set_tensor_address(name, tensor.data_ptr()), f"the output `{name}`")
        self._done(context.execute_async_v3(current_stream()), "these inputs")
        return tuple(found.values())

    def _output(self, context: Any, name: str, given: Mapping[str, Tensor]) -> Tensor:
        """Return memory for an output: that of the cache that it replaces, or of the computed shape."""
        if name in self._in_place:
            return given[self._in_place[name]]
        return torch.empty(tuple(context.get_tensor_shape(name)), dtype=self._dtype(name), device=DEVICE)

    def _dtype(self, name: str) -> torch.dtype:
        """Return torch's dtype of an input or output."""
        return _DTYPES[self._engine.get_tensor_dtype(name)]

    def _context(self, shapes: Mapping[str, tuple[int, ...]]) -> Any:
        """Return the context of the first profile that admits these shapes; one is made for each profile and kept."""
        count = self._engine.num_optimization_profiles
        fitting = (index for index in range(count) if self._admits(index, shapes))
        index = next(fitting, None)
        if index is None:
            given = ", ".join(f"`{name}` has {list(shape)}" for name, shape in shapes.items())
            self._fail(f"no optimisation profile of {self._name} admits these shapes", given)
        if index not in self._contexts:
            context = self._engine.create_execution_context(self._settled())
            if context is None or not context.set_optimization_profile_async(index, current_stream()):
                self._fail(f"TensorRT-RTX could not prepare {self._name} to run")
            self._contexts[index] = context
        return self._contexts[index]

    def _settled(self) -> Any:
        """Return a configuration that compiles kernels for the given shapes before they run.

        By default other kernels run until these are ready, and two runs need not agree.
        """
        config, eager = self._engine.create_runtime_config(), trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        if config.dynamic_shapes_kernel_specialization_strategy != eager:
            self._fail("TensorRT-RTX did not keep the setting `kernels before they run`")
        return config

    def _admits(self, index: int, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether a profile admits all shapes."""
        return all(self._ranges(index, name, shape) for name, shape in shapes.items())

    def _ranges(self, index: int, name: str, shape: tuple[int, ...]) -> bool:
        """Whether a profile admits the shape of one input."""
        least, _, most = (tuple(point) for point in self._engine.get_tensor_profile_shape(name, index))
        return len(shape) == len(least) and all(
            low <= size <= high for low, size, high in zip(least, shape, most, strict=True)
        )

    def _done(self, done: bool, what: str) -> None:
        """Raise E610 if a call of TensorRT returned false."""
        if not done:
            self._fail(f"{self._name} failed on {what}")

    def _fail(self, message: str, *notes: str) -> NoReturn:
        """Raise E610 with the errors logged since the call began."""
        said = [" ".join(error.split()) for error in self._logger.errors[self._heard :][:MAX_NOTES]]
        fail("E610", message, None, notes=[*notes, *said])


class EngineRunner:
    """Runs an engine on arrays by name; bfloat16 is returned as float32, since NumPy has no such type."""

    def __init__(
        self, path: Path, inputs: Sequence[str], outputs: Sequence[str], buffers: Mapping[str, str] | None = None
    ) -> None:
        """Load the engine in `path`. Raises SpecError E610 if the runtime rejects it."""
        self._engine = OpenedEngine(path, inputs, outputs, buffers)
        self._stream = new_stream()

    @property
    def capacity(self) -> int | None:
        """How many positions the caches have room for, None without caches."""
        return self._engine.capacity

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return outputs by name. Raises SpecError E610 if the engine fails."""
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            found = self._engine(*(torch.from_numpy(inputs[name]) for name in self._engine.inputs))
            return {name: _array(tensor) for name, tensor in zip(self._engine.outputs, found, strict=True)}


def new_stream() -> Any:
    """Return a new stream: on the default stream TensorRT waits for the whole device."""
    stream: Any = torch.cuda.Stream
    return stream()


def current_stream() -> int:
    """Return the handle of torch's current stream, as TensorRT expects it."""
    return torch.cuda.current_stream().cuda_stream


def _array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array."""
    array: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy()
    return array
