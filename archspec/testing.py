"""What users import into their own tests: one line that holds a model to its rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.contract.fitting import model_subject
from archspec.contract.report import ContractReport
from archspec.contract.verify import verify
from archspec.spec import Spec
from archspec.spec.claims import Claims, claims_of, load_claims, read_claims

if TYPE_CHECKING:
    from archspec.contract.torch_module import Model

__all__ = ["Claims", "ContractReport", "assert_contract", "read_claims"]


def assert_contract(
    model: Model,
    contract: Spec | Claims | str | Path,
    *,
    arguments: Mapping[str, str] | None = None,
    outputs: Mapping[str, str | int] | None = None,
    bools: Any = None,
    fill: bool = True,
    weights: str | Path | None = None,
    reduced: bool = False,
    seed: int = 0,
) -> ContractReport:
    """Hold a PyTorch module, or a function on tensors, to the rules of a spec or of a file without a graph.

    Args:
        model: called with the declared inputs, by name where its arguments have those names, else in order.
        contract: a loaded spec, claims, a file, or the bare name of a shipped spec.
        arguments: the names of `forward`'s arguments, by input, where they differ.
        outputs: where each output is in what the model returns: a key, an attribute, or an index.
        bools: the torch dtype that bool inputs are given in; `torch.int64` for Hugging Face's attention masks.
        fill: fill a copy's parameters at random, so that no zero hides a leak; false takes them as they are.
        weights: a safetensors file or folder in the module's own names; a copy is tested with these parameters.
        reduced: take the small copy of the spec, for a model of those sizes.
        seed: of parameters, inputs and their changes.

    Returns:
        the report, where all holds.

    Raises:
        AssertionError: with the report, and in it the first violating pair of positions of each broken rule.
        SpecError: where the contract itself is wrong, E607 for weights that do not fit the module.
    """
    claims = _claims(contract, reduced)
    name = type(model).__name__
    subject = model_subject(
        model,
        claims,
        name,
        seed=seed if fill else None,
        arguments=arguments,
        outputs=outputs,
        bools=bools,
        weights=None if weights is None else Path(weights),
    )
    report = verify(subject, claims, seed=seed)
    if not report.holds:
        raise AssertionError(str(report))
    return report


def _claims(contract: Spec | Claims | str | Path, reduced: bool) -> Claims:
    if isinstance(contract, Claims):
        return contract
    if isinstance(contract, Spec):
        return claims_of(contract)
    return load_claims(contract, reduced=reduced)
