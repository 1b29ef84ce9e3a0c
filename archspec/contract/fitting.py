"""Makes a subject of the contract from a user's module, function or ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.contract.onnx_file import OnnxRunner
from archspec.contract.protocol import Subject
from archspec.contract.torch_module import Model, TorchRunner, copied
from archspec.diagnostics import Collector, fail
from archspec.spec.claims import Claims

if TYPE_CHECKING:
    from torch import nn


def model_subject(
    model: Model,
    claims: Claims,
    name: str,
    *,
    seed: int | None = 0,
    arguments: Mapping[str, str] | None = None,
    outputs: Mapping[str, str | int] | None = None,
    bools: Any = None,
    weights: Path | None = None,
) -> Subject:
    """A PyTorch module, or a function on tensors, as a subject.

    Args:
        model: a module, which is copied and left unchanged, or a function, which is called as it is.
        claims: the declared inputs and outputs, in order.
        name: the subject's name in reports.
        seed: seed of the parameters that the copy is filled with; None keeps those of the module.
        arguments: parameter names by input, as in `bound`.
        outputs: where outputs are found in the return value, as `picks` of `TorchRunner`.
        bools: the dtype in which bool inputs are passed; `torch.bool` if None.
        weights: a safetensors file or folder that is loaded into the copy, which is then not filled.

    Returns:
        the subject: for a module with its float64 copy and gradients, and, if it was filled, with copies that have
        large parameters.

    Raises:
        SpecError: E731 for a module that cannot be copied, E734 if the inputs cannot be bound to the model's
            parameters, and as `load_state` does.
    """
    import torch
    from torch import nn

    from archspec.contract.fill import fill
    from archspec.contract.gradients import subject_of
    from archspec.contract.loud import loud_runners
    from archspec.contract.module_steps import with_steps

    # Given weights must not be filled over.
    seed = seed if weights is None else None
    if weights is not None and not isinstance(model, nn.Module):
        fail("E607", f"weights are loaded into a module, got a {type(model).__name__}", None, help="give a module")
    if isinstance(model, nn.Module):
        own = copied(model)
        if weights is not None:
            load_state(own, weights)
        model = own.eval() if seed is None else fill(own, seed)
    dtype = torch.bool if bools is None else bools
    runner = TorchRunner(model, claims.inputs, claims.outputs, arguments=arguments, picks=outputs, bools=dtype)
    subject = with_steps(subject_of(name, runner), claims)
    if seed is None or not isinstance(model, nn.Module):
        return subject
    return replace(subject, loud=partial(loud_runners, runner, seed))


def load_state(model: nn.Module, path: Path) -> None:
    """Load all tensors of a safetensors file or folder into a module, under the module's own names.

    Raises:
        SpecError: E607 if names or shapes differ, E527 for parameters that are not finite or too large for the dtype of
            the module, E51x for a file that cannot be read.
    """
    from archspec.weights import read_weights
    from archspec.weights.into_module import check_range
    from archspec.weights.values import check_finite

    file = read_weights(path)
    tensors, found = {name: file[name] for name in file}, Collector()
    # Buffers may hold infinities by design, as additive masks do.
    for name, parameter in model.named_parameters():
        if name in tensors:
            check_finite(name, tensors[name], found)
            check_range(name, tensors[name], parameter, found)
    found.raise_if_errors()
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        notes = [line.strip() for line in str(error).splitlines()[1:6]]
        fail("E607", f"the weights do not fit the module {type(model).__name__}", None, notes=notes)


def onnx_subject(path: Path, claims: Claims) -> Subject:
    """An ONNX file as a subject, run by ONNX Runtime, without float64 copy or gradients. Raises SpecError E610."""
    return Subject(name=path.name, runner=OnnxRunner(path, claims.outputs))
