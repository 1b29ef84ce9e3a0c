"""The emitted modules of the shipped specs hold, and every rule of them is measured."""

from __future__ import annotations

import pytest

from archspec.contract.compiled import verify_compiled
from archspec.spec.claims import load_claims
from tests.mutation.shipped import alone_in_kind


@pytest.mark.parametrize("name", alone_in_kind())
def test_a_shipped_spec_holds(name: str) -> None:
    loaded = load_claims(name, reduced=True)
    report = verify_compiled(loaded)
    assert [found for found in report.findings if found.status != "holds"] == []
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
