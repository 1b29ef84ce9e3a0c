"""Rules in a file of their own."""

from __future__ import annotations

import pytest

from archspec.diagnostics import SpecError
from archspec.ir.types import DType
from archspec.spec.claims import read_claims
from tests.contract.decoders import RULES


def test_rules_without_a_graph_are_typed() -> None:
    claims = read_claims(RULES)
    assert claims.spec is None
    assert list(claims.inputs) == ["ids", "valid"]
    assert str(claims.outputs["logits"].type) == "float[batch, length, 50]"
    causal, ignores, covers = claims.rules
    assert causal.output is claims.outputs["logits"]
    assert ignores.where is not None
    assert ignores.where.type.dtype is DType.BOOL
    assert str(covers) == "covers(output: logits, input: ids, mask: causal)"


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        (("rules:", "counts: {parameters: 3}\nrules:"), "E229", "`counts` needs a graph, but the file has none"),
        (("float[batch, length, 50]", "{from: x, type: 'float[batch, length, 50]'}"), "E229", "`from` names a value"),
        (("  logits: ", "  ids: "), "E209", "`ids` is the name of an output and of something else"),
        (("input: ids}", "input: idz}"), "E201", "unknown value `idz`"),
        (
            ("where: not valid", "where: not ids"),
            "E219",
            "`ids` is int64[batch, length] < 50, but a predicate must be bool",
        ),
        (("archspec: 1", "archspec: 1\ncolour: red"), "E202", "unknown key"),
    ],
)
def test_what_is_wrong_in_them_is_told(changed: tuple[str, str], code: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_claims(RULES.replace(*changed))
    assert any(found.code == code and found.message.startswith(message) for found in raised.value.diagnostics)
