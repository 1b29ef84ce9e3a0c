"""What rules should speak of: `check` asks for a rule that is taken out of a shipped spec, and for no other."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.diagnostics import Diagnostic
from archspec.ir.types import DType
from archspec.spec import load
from archspec.spec.files import locate
from archspec.spec.shipped import shipped_specs_dir
from tests.editing import edited

SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
ITEM = re.compile(r"^  - (\w+): \{output: ([\w.]+),.*\n", re.MULTILINE)


shipped = cache(load)
"""A shipped spec by its name, read once for all of its rules."""


def cases() -> list[tuple[str, str]]:
    """Every rule of every shipped spec that has its own."""
    return [(name, found.group()) for name in SHIPPED for found in ITEM.finditer(locate(name).read_text("utf-8"))]


def stated_elsewhere(name: str, line: str) -> bool:
    """Whether the rules that are left still speak of what the rule is about: a window is an order too."""
    kind, output = re.match(ITEM, line).groups()  # type: ignore[union-attr]
    spec = shipped(name)
    if kind not in ("causal", "window", "within", "ignores", "segments") or output not in spec.outputs:
        return True
    read = re.search(r"input: (\w+)", line)[1]  # type: ignore[index]
    if kind in ("causal", "window", "within") and spec.inputs[read].type.dtype == DType.FLOAT:
        # Only tokens are known to have an order.
        return True
    others = [rule for rule in spec.rules if str(rule.fields.output) == output and str(rule.kind) != kind]
    return kind in ("causal", "window") and any(rule.kind in ("causal", "window") for rule in others)


@pytest.mark.parametrize(("name", "line"), cases())
def test_a_rule_that_is_taken_out_is_asked_for(name: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    text = locate(name).read_text("utf-8")
    path.write_text(edited(text, (line, "")) if len(ITEM.findall(text)) > 1 else edited(text, (f"rules:\n{line}", "")))
    found = check(path).diagnostics
    if stated_elsewhere(name, line):
        assert found == ()
        return
    (warning,) = found
    assert warning.code == ("W421" if line.lstrip(" -").startswith(("ignores", "segments")) else "W420")
    assert warning.severity == "warning"
    assert warning.help == f"add `{line.strip()}` to `rules`"
    assert warning.primary is not None
    assert warning.primary.span.text in {str(rule) for rule in shipped(name).inputs}


MODEL = """archspec: 1
name: model
constants: {{vocab: 50, d: 8}}
dims: {{batch: [1, 2, 4], length: [1, 6, 16]}}
inputs:
  ids: int64[batch, length] < vocab
  {more}
defaults: {{norm: layer_norm}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d}}
  states:
    block: transformer
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {{heads: 2, mask: {mask}}}
    feed_forward: {{hidden: 16, activation: relu}}
  {tail}
outputs:
  {output}
{rules}
"""
STATES = "states: float[batch, length, d]"


def warnings(
    folder: Path, mask: str, *, more: str = "", tail: str = "", output: str = STATES, rules: str = ""
) -> list[Diagnostic]:
    path = folder / "model.yaml"
    path.write_text(re.sub(r"\n +\n", "\n", MODEL.format(mask=mask, more=more, tail=tail, output=output, rules=rules)))
    return list(check(path).diagnostics)


def short(found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(one.code, one.message, one.help or "") for one in found]


VALID = "valid: bool[batch, length]"
PADDED = "padded: bool[batch, length]"
TEXT = "text: int64[batch, length]"


def test_masks_that_say_all_need_no_rule(tmp_path: Path) -> None:
    assert warnings(tmp_path, "all") == []
    ignores = "rules: [{ignores: {output: states, input: ids, where: not valid}}]"
    assert warnings(tmp_path, "key_valid(valid)", more=VALID, rules=ignores) == []


@pytest.mark.parametrize(
    ("mask", "more", "rule"),
    [
        ("causal", "", "causal: {output: states, input: ids}"),
        ("last(3)", "", "causal: {output: states, input: ids}"),
        (
            "causal | prefix(given)",
            "given: int64[batch]",
            "within: {output: states, input: ids, mask: causal | prefix(given)}",
        ),
    ],
)
def test_the_order_of_tokens_is_asked_for(mask: str, more: str, rule: str, tmp_path: Path) -> None:
    message = "no rule says which `ids` each `states` may see"
    assert short(warnings(tmp_path, mask, more=more)) == [("W420", message, f"add `- {rule}` to `rules`")]
    assert warnings(tmp_path, mask, more=more, rules=f"rules:\n  - {rule}") == []


def test_an_order_that_a_layer_breaks_is_asked_for_and_the_rule_then_tells(tmp_path: Path) -> None:
    leak = "y: {block: shift, input: states, axis: 1, by: -1, fill: 0}"
    output = "y: float[batch, length, d]"
    (found,) = warnings(tmp_path, "causal", tail=leak, output=output)
    assert found.help == "add `- causal: {output: y, input: ids}` to `rules`"
    rules = "rules:\n  - causal: {output: y, input: ids}"
    assert [one.code for one in warnings(tmp_path, "causal", tail=leak, output=output, rules=rules)] == ["E420"]


def test_an_output_without_the_tokens_positions_has_no_order(tmp_path: Path) -> None:
    pooled = {"tail": "y: {block: pool, input: states, kind: last}", "output": "y: float[batch, d]"}
    assert warnings(tmp_path, "causal", **pooled) == []


def test_tokens_that_mix_without_masks(tmp_path: Path) -> None:
    path = tmp_path / "conv.yaml"
    head, _, rest = MODEL.partition("  states:\n")
    head = edited(head.format(more=""), ("  \n", ""))
    between = "  y: {block: shift, input: source, axis: 1, by: 1, fill: 0}\n"
    path.write_text(head + between + "outputs:\n  y: float[batch, length, d]\n")
    (found,) = check(path).diagnostics
    assert (found.code, found.help) == ("W420", "add `- causal: {output: y, input: ids}` to `rules`")
    path.write_text(edited(path.read_text(), ("by: 1", "by: -1")))
    (found,) = check(path).diagnostics
    assert (found.code, found.help) == ("W420", "add `- sees: {output: y, input: ids}` to `rules`")
    path.write_text(head + "  y: source * 2\noutputs:\n  y: float[batch, length, d]\n")
    assert check(path).diagnostics == ()
    assert "transformer" in rest


@pytest.mark.parametrize(
    ("mask", "more", "rule"),
    [
        ("key_valid(valid)", VALID, "ignores: {output: states, input: ids, where: not valid}"),
        ("key_valid(not padded)", PADDED, "ignores: {output: states, input: ids, where: padded}"),
        ("same_segment(text)", TEXT, "segments: {output: states, input: ids, by: text}"),
    ],
)
def test_what_a_mask_hides_is_asked_for(mask: str, more: str, rule: str, tmp_path: Path) -> None:
    name = more.partition(":")[0]
    message = f"no rule says what `{name}` hides from `states`"
    assert short(warnings(tmp_path, mask, more=more)) == [("W421", message, f"add `- {rule}` to `rules`")]
    assert warnings(tmp_path, mask, more=more, rules=f"rules:\n  - {rule}") == []


def test_a_value_added_to_the_scores_is_no_control_of_the_mask(tmp_path: Path) -> None:
    near = "near: float[length, length]"
    found = warnings(tmp_path, "same_segment(text), add_to_scores: near", more=f"{TEXT}\n  {near}")
    assert [one.help for one in found] == ["add `- segments: {output: states, input: ids, by: text}` to `rules`"]
    found = warnings(tmp_path, "causal | prefix(given), add_to_scores: near", more=f"given: int64[batch]\n  {near}")
    rule = "within: {output: states, input: ids, mask: causal | prefix(given)}"
    assert [one.help for one in found] == [f"add `- {rule}` to `rules`"]


@pytest.mark.parametrize(
    ("mask", "more"),
    [
        ("same_segment(text) | within(1)", TEXT),
        ("within(1) | key_valid(valid) | query_valid(valid)", VALID),
        ("within(1) & key_valid(valid) | key_valid(padded)", f"{VALID}\n  {PADDED}"),
    ],
)
def test_an_input_that_a_mask_admits_beside_others_hides_nothing_and_need_not(
    mask: str, more: str, tmp_path: Path
) -> None:
    assert "W422" not in [found.code for found in warnings(tmp_path, mask, more=more)]


@pytest.mark.parametrize(
    ("mask", "more", "options"),
    [
        ("all | key_valid(valid)", VALID, {}),
        (
            "key_valid(valid)",
            VALID,
            {"tail": "y: {block: pool, input: states, kind: mean}", "output": "y: float[batch, d]"},
        ),
    ],
)
def test_a_mask_that_hides_nothing(mask: str, more: str, options: dict[str, str], tmp_path: Path) -> None:
    name = more.partition(":")[0]
    (found,) = warnings(tmp_path, mask, more=more, **options)
    assert (found.code, found.message) == ("W422", f"`{name}` hides nothing")
    assert found.primary is not None
    assert found.primary.span.text == name


def test_an_input_that_only_counts_positions_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    text = edited(MODEL.format(mask="all", more=VALID, tail="", output=STATES, rules=""), ("\n  \n", "\n"))
    counted = "dim: d, positions: {kind: learned, length: 16, count: valid}}"
    path.write_text(edited(text, ("dim: d}", counted)))
    assert [found.code for found in check(path).diagnostics] == ["W422"]


MIXED = """  mixed: {block: shift, input: source, axis: 1, by: -1, fill: 0}
  states:
    block: transformer
    input: mixed
"""


def mixing(folder: Path, *, mask: str, tail: str = "", output: str = STATES, rules: str = "") -> list[Diagnostic]:
    """Warnings about a model whose layers are given embeddings of which each is that of the next token."""
    path = folder / "model.yaml"
    text = MODEL.format(mask=mask, more=VALID, tail=tail, output=output, rules=rules)
    path.write_text(
        edited(re.sub(r"\n +\n", "\n", text), ("  states:\n    block: transformer\n    input: source\n", MIXED))
    )
    return list(check(path).diagnostics)


def test_what_is_hidden_behind_nodes_that_mix_positions_is_asked_for(tmp_path: Path) -> None:
    rule = "ignores: {output: states, input: mixed, where: not valid}"
    (found,) = mixing(tmp_path, mask="key_valid(valid)")
    assert (found.code, found.help) == ("W421", f"add `- {rule}` to `rules`")
    assert found.notes == ("positions are mixed before `mixed`, and hidden from there on",)
    assert mixing(tmp_path, mask="key_valid(valid)", rules=f"rules:\n  - {rule}") == []
    # Of the input it does not hold.
    of_input = edited(rule, ("input: mixed", "input: ids"))
    found_too = mixing(tmp_path, mask="key_valid(valid)", rules=f"rules:\n  - {of_input}")
    assert [one.code for one in found_too] == ["E420"]


@pytest.mark.parametrize(("inner", "codes"), [("mixed", {"E420"}), ("states", {"E420", "W422"}), ("late", {"W422"})])
def test_a_rule_about_an_inner_value_that_no_mask_comes_behind_states_nothing(
    inner: str, codes: set[str], tmp_path: Path
) -> None:
    """The last nodes keep positions apart, so that a rule about what they read holds whatever the masks are."""
    tail = "late: {block: shift, input: states, axis: 1, by: -1, fill: 0}\n  y: late * 2"
    rule = f"rules:\n  - ignores: {{output: y, input: {inner}, where: not valid}}"
    found = mixing(tmp_path, mask="key_valid(valid)", tail=tail, output="y: float[batch, length, d]", rules=rule)
    assert {one.code for one in found} == codes


@pytest.mark.parametrize("rules", ["", "rules:\n  - ignores: {output: pooled, input: keys, where: not valid}"])
def test_a_rule_about_an_inner_value_that_inputs_go_round_states_nothing(rules: str, tmp_path: Path) -> None:
    """All positions of `source` reach the mean as queries, and none but valid ones as keys."""
    path = tmp_path / "model.yaml"
    tail = "keys: source * 2\n  seen: {block: attention, query: source, memory: keys, heads: 2, mask: key_valid(valid)}"
    tail += "\n  pooled: {block: pool, input: seen, kind: mean}"
    text = MODEL.format(mask="all", more=VALID, tail=tail, output="pooled: float[batch, d]", rules=rules)
    path.write_text(re.sub(r"  states:\n(    .*\n)+", "", text))
    assert [found.code for found in check(path).diagnostics] == ["W422"]
