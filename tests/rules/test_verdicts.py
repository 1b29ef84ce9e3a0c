"""Verdicts that are known beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from archspec.spec.shipped import shipped_specs_dir
from tests.options import option
from tests.rules.specs import report, statuses

LOWER = {"sees", "covers"}
CAUSAL = "causal: {output: logits, input: ids}"
VALID = "valid: bool[batch, length]"
IGNORES = "ignores: {output: logits, input: ids, where: not valid}"


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))
def test_every_rule_of_a_shipped_spec_is_proved_or_wired(name: str) -> None:
    """And no rule is missing, nor is there anything else to be said."""
    found = check(name)
    assert [one.code for one in found.diagnostics] == []
    assert found.verdicts
    for verdict in found.verdicts:
        assert verdict.status == ("wired" if verdict.rule.kind in LOWER else "proved")


@option("rule.causal", "rule.output", "rule.input")
@pytest.mark.parametrize(
    ("mask", "causal"),
    [("causal", "proved"), ("last(4)", "proved"), ("all", "violated"), ("within(1)", "violated")],
)
def test_causality_is_that_of_the_mask(mask: str, causal: str, tmp_path: Path) -> None:
    assert statuses(report(tmp_path, mask, CAUSAL)) == [causal]


@option("rule.within", "rule.covers", "within.mask", "covers.mask", "mask.prefix", "mask.|")
def test_a_prefix_model_of_twelve_layers_is_proved_exactly(tmp_path: Path) -> None:
    """Nothing but causality and the prefix: neither alone is proved, nor a shorter prefix."""
    rules = """
        within: {output: logits, input: ids, mask: causal | prefix(p)}
        within: {output: logits, input: ids, mask: causal}
        within: {output: logits, input: ids, mask: prefix(p)}
        covers: {output: logits, input: ids, mask: causal | prefix(p)}
    """
    found = report(tmp_path, "causal | prefix(p)", rules, inputs="p: int64[batch]")
    assert statuses(found) == ["proved", "violated", "violated", "wired"]


@option("rule.window", "window.back", "window.ahead", "mask.last")
@pytest.mark.parametrize(("layers", "n"), [(1, 3), (3, 3), (12, 5)])
def test_a_window_reaches_back_once_a_layer_and_no_farther(layers: int, n: int, tmp_path: Path) -> None:
    reach = layers * (n - 1)
    rules = f"""
        window: {{output: logits, input: ids, back: {reach}, ahead: 0}}
        window: {{output: logits, input: ids, back: {reach - 1}, ahead: 0}}
    """
    assert statuses(report(tmp_path, f"last({n})", rules, layers=layers)) == ["proved", "violated"]


@pytest.mark.slow
def test_a_window_of_a_thousand_layers_is_proved(tmp_path: Path) -> None:
    rules = """
        window: {output: logits, input: ids, back: 1000, ahead: 0}
        causal: {output: logits, input: ids}
        window: {output: states.layers.99, input: ids, back: 100, ahead: 0}
        window: {output: states.layers.99, input: ids, back: 99, ahead: 0}
    """
    assert statuses(report(tmp_path, "last(2)", rules, layers=1000)) == ["proved", "proved", "proved", "violated"]


@option("window.back", "window.ahead", "mask.within")
def test_a_window_of_both_sides(tmp_path: Path) -> None:
    rules = """
        window: {output: logits, input: ids, back: 6, ahead: 6}
        window: {output: logits, input: ids, back: 6, ahead: 5}
        window: {output: logits, input: ids, back: 5, ahead: 6}
    """
    assert statuses(report(tmp_path, "within(2)", rules, layers=3)) == ["proved", "violated", "violated"]


@option("rule.segments", "segments.by", "mask.same_segment")
def test_packed_sequences_stay_apart(tmp_path: Path) -> None:
    rules = """
        segments: {output: logits, input: ids, by: document}
        within: {output: logits, input: ids, mask: causal & same_segment(document)}
        covers: {output: logits, input: ids, mask: causal & same_segment(document)}
    """
    inputs = "document: int64[batch, length]"
    assert statuses(report(tmp_path, "causal & same_segment(document)", rules, inputs=inputs)) == [
        "proved",
        "proved",
        "wired",
    ]
    assert statuses(report(tmp_path, "causal", rules, inputs=inputs, more=_uses("document")))[:2] == ["violated"] * 2


def _uses(name: str) -> str:
    """A node that uses an input which the masks leave out."""
    return f"  other: {{block: pool, input: source, kind: mean, valid: {name} != 0}}"


@option("rule.ignores", "ignores.where", "ignores.at=none")
def test_padding_is_ignored_where_the_mask_hides_it(tmp_path: Path) -> None:
    found = report(tmp_path, "key_valid(valid)", IGNORES, inputs=VALID)
    assert statuses(found) == ["proved"]
    assert found.verdicts[0].explanation == "at all sizes, at output positions where valid"


@option("ignores.at", "pred.or")
def test_padding_is_seen_at_padded_positions_themselves(tmp_path: Path) -> None:
    """The residual hands a padded position on: promised everywhere, the rule is broken."""
    rules = "ignores: {output: logits, input: ids, where: not valid, at: valid or not valid}"
    assert statuses(report(tmp_path, "key_valid(valid)", rules, inputs=VALID)) == ["violated"]


@option("input.padding={padding}")
@pytest.mark.parametrize(("padding", "status"), [("right", "proved"), ("left", "violated"), ("any", "violated")])
def test_right_padding_needs_causality_alone(padding: str, status: str, tmp_path: Path) -> None:
    inputs = f'valid: {{type: "bool[batch, length]", padding: {padding}}}'
    more = "  pooled: {block: pool, input: source, kind: mean, valid: valid}"
    assert statuses(report(tmp_path, "causal", IGNORES, inputs=inputs, more=more)) == [status]


def test_right_padding_with_both_masks(tmp_path: Path) -> None:
    inputs = 'valid: {type: "bool[batch, length]", padding: right}'
    assert statuses(report(tmp_path, "causal & key_valid(valid)", f"{CAUSAL}\n{IGNORES}", inputs=inputs)) == [
        "proved",
        "proved",
    ]


@option("pred.>=", "ignores.where")
def test_a_predicate_on_the_input_itself_is_held_while_the_input_changes(tmp_path: Path) -> None:
    rules = "ignores: {output: logits, input: ids, where: ids >= 90}"
    assert statuses(report(tmp_path, "key_valid(ids < 90)", rules)) == ["proved"]
    assert statuses(report(tmp_path, "key_valid(ids < 91)", rules)) == ["violated"]
    assert statuses(report(tmp_path, "all", rules)) == ["violated"]


@pytest.mark.parametrize("predicate", ["not padded", "valid and not padded", "not (padded or not valid)"])
def test_predicates_are_known_by_what_they_compute(predicate: str, tmp_path: Path) -> None:
    rules = """
        ignores: {output: logits, input: ids, where: padded}
        ignores: {output: logits, input: ids, where: padded and valid, at: valid and not padded}
    """
    inputs = f"{VALID}\npadded: bool[batch, length]"
    more = "" if "valid" in predicate else "  pooled: {block: pool, input: source, kind: mean, valid: valid}"
    found = report(tmp_path, f"key_valid({predicate})", rules, inputs=inputs, more=more)
    assert statuses(found) == ["proved", "proved"]


@option("rule.sees", "rule.covers", "covers.mask")
def test_lower_rules_are_wired_or_broken(tmp_path: Path) -> None:
    rules = """
        sees: {output: logits, input: ids}
        covers: {output: logits, input: ids, mask: causal}
        covers: {output: logits, input: ids, mask: last(3)}
        covers: {output: logits, input: ids, mask: within(1)}
    """
    assert statuses(report(tmp_path, "causal", rules)) == ["violated", "wired", "wired", "violated"]


def test_lower_rules_are_judged_beyond_the_windows_of_masks_and_rules(tmp_path: Path) -> None:
    """At four positions a window of nine hides nothing."""
    rules = """
        covers: {output: logits, input: ids, mask: causal}
        covers: {output: logits, input: ids, mask: last(9)}
        covers: {output: logits, input: ids, mask: last(10)}
    """
    assert statuses(report(tmp_path, "last(9)", rules, layers=1)) == ["violated", "wired", "violated"]


def test_what_leads_inputs_is_independent_without_a_rule(tmp_path: Path) -> None:
    found = report(tmp_path, "causal", CAUSAL)
    assert str(found.verdicts[-1].rule) == "independent(dim: batch)"
    assert found.verdicts[-1].status == "proved"
    mixed = report(tmp_path, "causal", CAUSAL, more="  mixed: {block: l2_normalize, input: source, axis: 0}")
    assert mixed.verdicts[-1].status == "proved"


def test_a_rule_about_inner_values(tmp_path: Path) -> None:
    rules = """
        causal: {output: states.layers.3, input: ids}
        causal: {output: logits, input: source}
        window: {output: states.layers.2, input: source, back: 6, ahead: 0}
        window: {output: states.layers.2, input: source, back: 5, ahead: 0}
    """
    assert statuses(report(tmp_path, "last(3)", rules)) == ["proved", "proved", "proved", "violated"]
