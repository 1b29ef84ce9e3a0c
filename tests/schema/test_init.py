from __future__ import annotations

import pytest

from archspec.diagnostics import Source, SpecError
from archspec.ir.init import Init
from archspec.schema.init import InitFields
from archspec.text.expr import Expr, number
from archspec.text.reader import read


def _resolved(text: str) -> Init:
    node = read(Source("spec", f"init: {text}")).get("init")
    assert node is not None

    def constant(expr: Expr) -> float:
        value = number(expr, {}).constant()
        assert value is not None
        return float(value)

    return InitFields.read(node).resolve(constant)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("{kind: normal, std: 0.02}", "normal", 0.02),
        ("{kind: truncated_normal, std: 1/50}", "truncated_normal", 0.02),
        ("{kind: uniform, limit: 1/sqrt(4)}", "uniform", 0.5),
        ("xavier_uniform", "xavier_uniform", 0.0),
        ("{kind: kaiming_normal}", "kaiming_normal", 0.0),
        ("zeros", "constant", 0.0),
        ("ones", "constant", 1.0),
        ("1e-5", "constant", 1e-5),
        ("-3", "constant", -3.0),
    ],
)
def test_every_start(text: str, kind: str, value: float) -> None:
    assert _resolved(text) == Init(kind=kind, value=value)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("normal", "E203", "missing field `std`"),
        ("{kind: uniform, std: 1}", "E241", "`std` does not apply to `uniform`"),
        ("{kind: orthogonal}", "E205", "invalid value `orthogonal`"),
    ],
)
def test_a_start_that_does_not_fit(text: str, code: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        _resolved(text)
    assert (raised.value.diagnostics[0].code, raised.value.diagnostics[0].message) == (code, message)
