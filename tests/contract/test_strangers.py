"""Models that are not ours, under both of their implementations of attention."""

from __future__ import annotations

import re

import pytest
import torch

from archspec.testing import assert_contract, read_claims
from tests.contract.strangers import STRANGERS
from tests.editing import edited

pytest.importorskip("transformers")


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", STRANGERS)
def test_a_model_of_hugging_face_holds(name: str, attention: str, padding: str) -> None:
    if (name, padding) == ("roberta", "left"):
        pytest.skip("its positions are counted from the ids: see below")
    stranger = STRANGERS[name]
    rules = re.sub("padding: (left|right)", f"padding: {padding}", stranger.rules)
    report = assert_contract(stranger.build(attention), read_claims(rules), bools=torch.int64)
    assert [found for found in report.findings if found.status == "not measured"] == []


@pytest.mark.parametrize(
    ("name", "right", "wrong", "complaint"),
    [
        (
            "bert",
            "- sees: {output: last_hidden_state, input: input_ids}",
            "- causal: {O}",
            "depends on input_ids[0, 1]",
        ),
        ("gpt2", "- covers: {output: logits, input: input_ids, mask: causal}", "- sees: {O}", "does not depend on"),
        (
            "mistral",
            "- causal: {output: logits, input: input_ids, at: attention_mask}",
            "- window: {O, back: 3, ahead: 0}",
            "[0, 4] depends",
        ),
    ],
)
def test_a_rule_that_does_not_hold_is_refused(name: str, right: str, wrong: str, complaint: str) -> None:
    stranger = STRANGERS[name]
    assert right in stranger.rules
    output = right.partition("output: ")[2].partition(",")[0]
    rules = edited(stranger.rules, (right, wrong.replace("O", f"output: {output}, input: input_ids")))
    model = stranger.build("sdpa")
    with pytest.raises(AssertionError, match="violated") as raised:
        assert_contract(model, read_claims(rules), bools=torch.int64)
    assert complaint in str(raised.value)


def test_positions_that_are_counted_from_the_ids_are_found() -> None:
    """RoBERTa counts positions from ids that are not its padding id: another id in front moves all that follows."""
    rules = STRANGERS["roberta"].rules.replace("padding: right", "padding: left")
    with pytest.raises(AssertionError, match=r"ignores.*violated\n +last_hidden_state\[\d, \d\] depends on input_ids"):
        assert_contract(STRANGERS["roberta"].build("sdpa"), read_claims(rules), bools=torch.int64)


def test_a_leak_into_padding_alone_says_how_to_leave_it_out() -> None:
    """Its eager attention gives a row that sees no key the mean over all of them, in float32 alone."""
    stranger = STRANGERS["llama"]
    rules = stranger.rules.replace(", at: attention_mask", "")
    with pytest.raises(AssertionError, match=r"is padding by an `ignores` rule: exclude it with `at`"):
        assert_contract(stranger.build("eager"), read_claims(rules), bools=torch.int64)


def test_a_mask_that_is_not_passed_on_is_caught() -> None:
    model = STRANGERS["llama"].build("sdpa")

    def careless(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return model(input_ids).logits

    with pytest.raises(AssertionError, match=r"ignores.*violated"):
        assert_contract(careless, read_claims(STRANGERS["llama"].rules))
