"""What a manifest says of exported programs that compute more than the module."""

from __future__ import annotations

from archspec.bundle.work import exported_notes
from archspec.spec import load


def test_experts_that_are_computed_although_no_token_chose_them_are_noted() -> None:
    note = "all 8 experts are computed for every token; the module computes the 2 chosen ones"
    assert exported_notes(load("mixtral-8x7b").graph) == [note]
    assert exported_notes(load("mixtral-8x7b", set=["experts=2"]).graph) == []
    assert exported_notes(load("gpt2").graph) == []
