"""The emitted module of a spec as a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from archspec.checking.checks import accepted
from archspec.contract.fill import LARGE, fill
from archspec.contract.gradients import subject_of
from archspec.contract.parity import parity
from archspec.contract.protocol import Subject
from archspec.contract.report import ContractReport, Finding
from archspec.contract.sizes import probe
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import verify
from archspec.diagnostics import fail
from archspec.lower import compile
from archspec.model.checked import Checked
from archspec.model.runner import Array
from archspec.spec.claims import Claims, inner_outputs, with_inner
from archspec.weights import load as load_weights


def verify_compiled(claims: Claims, seed: int = 0, weights: Path | None = None) -> ContractReport:
    """Compile a spec, and hold the module against the spec and its interpreter.

    Args:
        claims: of a spec.
        seed: of parameters, inputs and their changes.
        weights: a checkpoint in the spec's own names or one of its layouts; left out, parameters are filled.

    Raises:
        SpecError: E732 where the file has no graph, and those of weights that do not fit.
    """
    if claims.spec is None:
        fail("E732", f"`{claims.name}` has no graph to compile", None, help="give a model: `--module` or `--onnx`")
    # What does not hold is measured too: that tells where the module and the verdicts agree.
    checked = accepted(claims.spec, unproved=True)
    claims = with_inner(claims.spec)
    arrays = None if weights is None else _arrays(checked, weights)
    subject, parameters = compiled_subject(checked, claims, arrays, seed=seed)
    report = verify(subject, claims, parameters=parameters, seed=seed)
    if not report.holds or not isinstance(subject.exact, TorchRunner):
        return report
    return replace(report, findings=(*report.findings, parity_at_large(claims, subject.exact, seed=seed)))


def _arrays(checked: Checked, weights: Path) -> dict[str, Array]:
    tensors = load_weights(checked.spec, weights)
    return {name: (one.float() if one.is_floating_point() else one).numpy() for name, one in tensors.items()}


def parity_at_large(claims: Claims, exact: TorchRunner, *, seed: int = 0) -> Finding:
    """Compare with the interpreter once more, in float64 and at parameters large enough for what is small to show.

    A cap, a scale or a whole branch may do nothing to the small numbers that float32 wants. `exact` runs a module in
    float64, whose parameters are drawn anew.
    """
    assert isinstance(exact.model, torch.nn.Module)
    assert claims.spec is not None
    parameters = {name: tensor.numpy() for name, tensor in fill(exact.model, seed + 1, LARGE).state_dict().items()}
    subject = Subject(name="the compiled module", runner=exact, exact=exact)
    found = parity(claims, claims.spec, subject, parameters, probe(claims), seed)
    return replace(found, claim=f"{found.claim} at large parameters")


def compiled_subject(
    checked: Checked, claims: Claims, weights: Mapping[str, Array] | None = None, *, seed: int = 0
) -> tuple[Subject, dict[str, Array]]:
    """The module of a spec as a subject, with its parameters by name.

    They are `weights`, all of them by the names of the spec; left out, drawn under a seed.
    """
    inner = inner_outputs(checked.spec)
    if weights is None:
        module = fill(compile(checked, expose=inner), seed)
    else:
        with torch.device("meta"):
            module = compile(checked, expose=inner).eval()
        state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
        module.load_state_dict(state, strict=True, assign=True)
    runner = TorchRunner(module, claims.inputs, claims.outputs)
    parameters: dict[str, Array] = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    return subject_of("the compiled module", runner), parameters
