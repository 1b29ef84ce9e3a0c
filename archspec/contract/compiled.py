"""Verification of a spec by compiling it: the emitted PyTorch module as the subject of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from archspec.checking.checks import accepted
from archspec.contract.fill import LARGE, fill
from archspec.contract.gradients import subject_of
from archspec.contract.held import Recording, hold
from archspec.contract.module_steps import with_steps
from archspec.contract.parity import parity
from archspec.contract.protocol import Precision, Subject
from archspec.contract.report import ContractReport, Finding
from archspec.contract.sizes import probe
from archspec.contract.stepped import EXACT
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import in_steps, verify
from archspec.diagnostics import fail
from archspec.lower import compile
from archspec.model.checked import Checked
from archspec.model.exposing import inner_outputs, with_inner
from archspec.model.runner import Array
from archspec.spec.claims import Claims
from archspec.weights import load as load_weights


def verify_compiled(
    claims: Claims, seed: int = 0, weights: Path | None = None, recordings: Sequence[Recording] = ()
) -> ContractReport:
    """Compile a spec, and check the module against its rules and against the interpreter.

    Args:
        claims: claims of a spec with a graph.
        seed: seed of the parameters, the inputs and their perturbations.
        weights: path of a checkpoint in the spec's own names or one of its layouts; if None, parameters are drawn.
        recordings: what the original of the weights gave; the module is held to them.

    Returns:
        the findings. If nothing is violated, the last ones compare the module in float64 with the interpreter, and a
        decoder's steps with its full forward, once more with large parameters.

    Raises:
        SpecError: E732 if the claims have no graph; the errors of loading weights if they do not fit.
    """
    if claims.spec is None:
        fail("E732", f"`{claims.name}` has no graph to compile", None, help="give a model: `--module` or `--onnx`")
    # Rules that are not proved are measured too: this shows whether the module agrees with the verdicts.
    checked = accepted(claims.spec, unproved=True)
    claims = with_inner(claims.spec)
    arrays = None if weights is None else _arrays(checked, weights)
    subject, parameters = compiled_subject(checked, claims, arrays, seed=seed)
    report = verify(subject, claims, parameters=parameters, seed=seed)
    if recordings:
        # Before the comparison at large parameters, which overwrites those of the float64 twin.
        report = replace(report, findings=(*report.findings, hold(claims, subject, recordings).finding()))
    # A violation is told as it was found, and larger parameters would only add to it.
    if not report.holds or not isinstance(subject.exact, TorchRunner):
        return report
    large = [parity_at_large(claims, subject.exact, seed=seed)]
    if subject.exact_steps is not None and large[0].status == "holds":
        # The twin now has the large parameters.
        twin = replace(subject, runner=subject.exact, steps=subject.exact_steps, precision=Precision(parity=EXACT))
        found = in_steps(claims, replace(twin, exact=None, exact_steps=None), seed)
        large.append(replace(found, claim=f"{found.claim} at large parameters"))
    return replace(report, findings=(*report.findings, *large))


def held_compiled(claims: Claims, weights: Path, recordings: Sequence[Recording]) -> Finding:
    """Compile a spec, and hold the module with given weights to what their original gave.

    Args:
        claims: claims of a spec with a graph.
        weights: path of a checkpoint in the spec's own names or one of its layouts.
        recordings: inputs and outputs of the original.

    Raises:
        SpecError: the errors of loading weights if they do not fit.
    """
    assert claims.spec is not None
    checked = accepted(claims.spec, unproved=True)
    subject, _ = compiled_subject(checked, claims, _arrays(checked, weights))
    return hold(claims, subject, recordings).finding()


def _arrays(checked: Checked, weights: Path) -> dict[str, Array]:
    """The tensors of a checkpoint by the spec's names, floats as float32, because NumPy has no bfloat16."""
    tensors = load_weights(checked.spec, weights)
    return {name: (one.float() if one.is_floating_point() else one).numpy() for name, one in tensors.items()}


def parity_at_large(claims: Claims, exact: TorchRunner, *, seed: int = 0) -> Finding:
    """Compare with the interpreter once more, in float64 and with large parameters.

    With the small parameters that a comparison in float32 needs, a cap, a scale or a whole branch may have no visible
    effect.

    Args:
        claims: claims of a spec with a graph.
        exact: runner of a module in float64; its parameters are overwritten by new random ones.
        seed: seed of the inputs; the parameters use `seed + 1`.
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
    """The compiled module of a spec as a subject, with its inner values as outputs, and its parameters by name.

    Args:
        checked: the spec.
        claims: names of the inputs and outputs, the inner ones included.
        weights: all parameters by the names of the spec; if None, they are drawn.
        seed: seed of the drawn parameters.

    Returns:
        the subject, and the entries of the module's state dict as arrays that share its memory.
    """
    inner = inner_outputs(checked.spec)
    if weights is None:
        module = fill(compile(checked, expose=inner), seed)
    else:
        # On the meta device, because `assign=True` below puts the given tensors in place of the fresh ones.
        with torch.device("meta"):
            module = compile(checked, expose=inner).eval()
        # Copied, since torch warns of arrays that cannot be written to.
        state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
        module.load_state_dict(state, strict=True, assign=True)
    runner = TorchRunner(module, claims.inputs, claims.outputs)
    parameters: dict[str, Array] = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    return with_steps(subject_of("the compiled module", runner), claims), parameters
