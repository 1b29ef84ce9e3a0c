"""The emitted module of a spec as a subject."""

from __future__ import annotations

from archspec.contract.fill import fill
from archspec.contract.gradients import subject_of
from archspec.contract.protocol import Array
from archspec.contract.report import Report
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import verify
from archspec.diagnostics import fail
from archspec.lower import compile
from archspec.spec.claims import Claims, with_inner


def verify_compiled(claims: Claims, seed: int = 0) -> Report:
    """Compile a spec, fill its parameters, and hold the module against the spec and its interpreter.

    Raises SpecError E732 where the file has no graph.
    """
    if claims.spec is None:
        fail("E732", f"`{claims.name}` has no graph to compile", None, help="give a model: `--module` or `--onnx`")
    claims = with_inner(claims.spec)
    assert claims.spec is not None
    module = fill(compile(claims.spec), seed)
    runner = TorchRunner(module, claims.inputs, claims.outputs)
    parameters: dict[str, Array] = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    subject = subject_of("the compiled module", runner)
    return verify(subject, claims, parameters=parameters, seed=seed)
