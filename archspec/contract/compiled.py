"""The emitted module of a spec as a subject."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from archspec.contract.fill import fill
from archspec.contract.gradients import subject_of
from archspec.contract.protocol import Array, Subject
from archspec.contract.report import Report
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import verify
from archspec.diagnostics import fail
from archspec.lower import compile
from archspec.spec import Spec
from archspec.spec.claims import Claims, with_inner


def verify_compiled(claims: Claims, seed: int = 0) -> Report:
    """Compile a spec, fill its parameters, and hold the module against the spec and its interpreter.

    Raises SpecError E732 where the file has no graph.
    """
    if claims.spec is None:
        fail("E732", f"`{claims.name}` has no graph to compile", None, help="give a model: `--module` or `--onnx`")
    claims = with_inner(claims.spec)
    assert claims.spec is not None
    subject, parameters = compiled_subject(claims.spec, claims, seed=seed)
    return verify(subject, claims, parameters=parameters, seed=seed)


def compiled_subject(
    spec: Spec, claims: Claims, weights: Mapping[str, Array] | None = None, *, seed: int = 0
) -> tuple[Subject, dict[str, Array]]:
    """The module of a spec as a subject, with its parameters by name.

    They are `weights`, all of them by the names of the spec; left out, drawn under a seed.
    """
    if weights is None:
        module = fill(compile(spec), seed)
    else:
        with torch.device("meta"):
            module = compile(spec).eval()
        state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
        module.load_state_dict(state, strict=True, assign=True)
    runner = TorchRunner(module, claims.inputs, claims.outputs)
    parameters: dict[str, Array] = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    return subject_of("the compiled module", runner), parameters
