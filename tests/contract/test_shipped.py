"""The emitted modules of the shipped specs hold, and every rule of them is measured."""

from __future__ import annotations

import pytest

from archspec.contract.compiled import verify_compiled
from archspec.spec.claims import Claims, load_claims
from tests.mutation.shipped import alone_in_kind


def inner_rules(loaded: Claims) -> set[str]:
    """What the contract says of the rules about values that are no inputs."""
    names = {str(rule.fields.input) for rule in loaded.rules}
    return {f"`{name}` is not an input" for name in names - loaded.inputs.keys()}


@pytest.mark.parametrize("name", alone_in_kind())
def test_a_shipped_spec_holds(name: str) -> None:
    loaded = load_claims(name, reduced=True)
    report = verify_compiled(loaded)
    # Another value can be given to inputs alone, and so a rule about an inner value is not measured on a module.
    inner = inner_rules(loaded)
    assert [found for found in report.findings if found.status != "holds" and found.detail not in inner] == []
    assert {found.status for found in report.findings} <= {"holds", "not measured"}
    claims = {found.claim for found in report.findings}
    rows = {f"independent({value.type.shape[0]})" for value in loaded.inputs.values()}
    assert {
        "shapes",
        "finite",
        "deterministic",
        *rows,
        "equal to the interpreter",
        "equal to the interpreter at large parameters",
    } <= claims
    assert loaded.spec is not None
    steps = {"the cached step equals the full forward", "the cached step equals the full forward at large parameters"}
    assert claims & steps == (steps if loaded.spec.decode else set())
