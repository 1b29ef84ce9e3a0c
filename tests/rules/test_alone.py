"""`alone`: verdicts on known padded encoders, and against rows that are run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from archspec.diagnostics import SpecError
from archspec.rules.verdict import Verdict
from tests.options import option

HEAD = """archspec: 1
name: padded
dims: {batch: [1, 2, 4], time: [1, 6, 16]}
inputs:
  x: float[batch, time, 8]
  valid: {type: "bool[batch, time]", padding: PADDING}
defaults: {norm: layer_norm}
"""


def judged(tmp_path: Path, graph: str, output: str = "float[batch, time, 8]", padding: str = "any") -> Verdict:
    """The verdict on `alone` of the output `y` of a graph."""
    return verdict(tmp_path, written(graph, output, padding))


def written(graph: str, output: str, padding: str) -> str:
    rules = "rules:\n  - alone: {output: y, input: x, valid: valid}\n"
    # Whatever the graph does, something reads the mask.
    kept = "  kept: {block: select, input: x, where: valid}"
    outputs = f"outputs: {{y: '{output}', kept: 'float[batch, time, 8]'}}"
    return f"{HEAD.replace('PADDING', padding)}graph:\n{graph}\n{kept}\n{outputs}\n{rules}"


def verdict(tmp_path: Path, text: str) -> Verdict:
    path = tmp_path / "padded.yaml"
    path.write_text(text)
    found = check(path).verdicts
    return next(one for one in found if getattr(one.rule, "kind", "") == "alone")


def encoder(mask: str, positions: str = "") -> str:
    more = f", positions: {positions}" if positions else ""
    return (
        "  y: {block: encoder, input: x, layers: 1, residual: pre, final_norm: true, attention: {heads: 2, mask: "
        f"{mask}{more}}}, feed_forward: {{hidden: 8, activation: relu}}}}"
    )


POOLED = "float[batch, 8]"
TURNED = "{block: rearrange, pattern: b t c -> b c t}"
BACK = "{block: rearrange, pattern: b c t -> b t c}"
IN = "{block: rearrange, input: x, pattern: b t c -> b c t}"
CONV = "{block: conv, channels: 8, kernel: 3, padding: same}"
KEPT = "{block: select, input: x, where: valid}"
KNOWN = {
    "masked attention": (encoder("key_valid(valid)"), "any", "proved", ""),
    "open attention": (encoder("all"), "any", "violated", "lets valid positions read padding"),
    "padding on the right is later": (encoder("causal"), "right", "proved", ""),
    "padding on the left is earlier": (encoder("causal"), "left", "violated", "lets valid positions read padding"),
    "a window with its keys": (encoder("within(1) & key_valid(valid)"), "any", "proved", ""),
    "a window alone": (encoder("within(1)"), "right", "violated", "lets valid positions read padding"),
    "another mask besides": (
        encoder("key_valid(valid) | causal"),
        "left",
        "violated",
        "lets valid positions read padding",
    ),
    "rotary positions": (encoder("key_valid(valid)", "{kind: rotary, layout: half}"), "any", "proved", ""),
    "biases by distance": (encoder("key_valid(valid)", "alibi"), "left", "proved", ""),
    "a convolution of zeros": (f"  y: [{KEPT}, {TURNED}, {CONV}, {BACK}]", "any", "proved", ""),
    "a convolution of padding": (
        f"  y: [{IN}, {CONV}, {BACK}]",
        "right",
        "violated",
        "lets valid positions read padding",
    ),
    "two convolutions, zeros before the first": (
        f"  y: [{KEPT}, {TURNED}, {CONV}, {CONV}, {BACK}]",
        "any",
        "violated",
        "lets valid positions read padding",
    ),
    "a causal convolution": (
        f"  y: [{IN}, {{block: conv, channels: 8, kernel: 3, padding: causal}}, {BACK}]",
        "right",
        "proved",
        "",
    ),
    "batch norm": (f"  y: [{KEPT}, {TURNED}, {{block: norm, kind: batch_norm, axis: 1}}, {BACK}]", "any", "proved", ""),
    "a norm over positions": (
        f"  y: [{KEPT}, {TURNED}, {{block: norm, kind: group_norm, groups: 1, axis: 1}}, {BACK}]",
        "right",
        "violated",
        "reads every position of the row",
    ),
    "divided by the length": ("  y: x / time", "right", "violated", "computes with the number of positions"),
}
POOLS = {
    "valid mean": ("  y: {block: pool, input: x, kind: mean, valid: valid}", "any", "proved", ""),
    "valid maximum": ("  y: {block: pool, input: x, kind: max, valid: valid}", "any", "proved", ""),
    "last valid": ("  y: {block: pool, input: x, kind: last, valid: valid}", "any", "proved", ""),
    "mean over all": (
        "  y: {block: pool, input: x, kind: mean}",
        "right",
        "violated",
        "reads every position of the row",
    ),
    "first of the left": ("  y: {block: pool, input: x, kind: first}", "left", "violated", "takes one position"),
    "first of the right": ("  y: {block: pool, input: x, kind: first}", "right", "proved", ""),
    "last of the left": ("  y: {block: pool, input: x, kind: last}", "left", "proved", ""),
}


@option("rule.alone", "alone.valid")
@pytest.mark.parametrize("name", KNOWN)
def test_known_rows(tmp_path: Path, name: str) -> None:
    graph, padding, status, why = KNOWN[name]
    found = judged(tmp_path, graph, padding=padding)
    assert (found.status, why in found.explanation) == (status, True), found.explanation


def test_positions_on_another_axis_are_absolute(tmp_path: Path) -> None:
    graph = (
        "  row: {block: linear, input: x, dim: 1}\n"
        "  zero: {block: constant, shape: [batch, time, 1], value: 0}\n"
        "  place: [{block: add_positions, input: zero, kind: learned, length: 16}, "
        "{block: rearrange, pattern: b t c -> b c t}]\n"
        "  y: row + place"
    )
    assert judged(tmp_path, graph, "float[batch, time, time]").status == "violated"


@pytest.mark.parametrize("name", POOLS)
def test_known_pools(tmp_path: Path, name: str) -> None:
    graph, padding, status, why = POOLS[name]
    found = judged(tmp_path, graph, POOLED, padding)
    assert (found.status, why in found.explanation) == (status, True), found.explanation


def test_a_violation_names_the_mask_and_the_measured_row(tmp_path: Path) -> None:
    (diagnostic,) = judged(tmp_path, encoder("all")).diagnostics
    assert diagnostic.code == "E420"
    assert diagnostic.primary is not None and diagnostic.primary.span.text == "all"
    assert "alone" in diagnostic.message and "float64" in diagnostic.notes[1]


EXTENDED = {
    "bert-base right": ("bert-base", "", "states", "proved", ""),
    "bert-base anywhere": ("bert-base", "{valid: {padding: any}}", "states", "violated", "`source`"),
    "minilm": ("minilm-l6", "", "embedding", "proved", ""),
    "roberta anywhere": ("roberta-base", "{valid: {padding: any}}", "states", "proved", ""),
}


@pytest.mark.parametrize("name", EXTENDED)
def test_published_encoders(tmp_path: Path, name: str) -> None:
    base, inputs, output, status, why = EXTENDED[name]
    more = f"inputs: {inputs}\n" if inputs else ""
    rules = f"rules:\n  - alone: {{output: {output}, input: ids, valid: valid}}\n"
    path = tmp_path / "padded.yaml"
    path.write_text(f"archspec: 1\nextends: {base}\nname: padded\n{more}{rules}")
    found = next(one for one in check(path, reduced=True).verdicts if getattr(one.rule, "kind", "") == "alone")
    assert found.status == status and why in found.explanation, found.explanation


def test_t5_and_what_its_decoder_attends_to(tmp_path: Path) -> None:
    rules = [f"  - alone: {{output: {name}, input: src_ids, valid: src_valid}}" for name in ("memory", "logits")]
    path = tmp_path / "padded.yaml"
    path.write_text("\n".join(["archspec: 1", "extends: t5-small", "name: padded", "rules:", *rules]))
    found = [one for one in check(path, reduced=True).verdicts if getattr(one.rule, "kind", "") == "alone"]
    assert [one.status for one in found] == ["proved", "proved"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("alone: {output: y, input: x, valid: x}", "E401"),
        ("alone: {output: y, input: y, valid: valid}", "E401"),
        ("alone: {output: y, input: other, valid: valid}", "E402"),
    ],
)
def test_refused(tmp_path: Path, rule: str, code: str) -> None:
    text = written(encoder("key_valid(valid)"), "float[batch, time, 8]", "any")
    text = text.replace("  x: float[batch, time, 8]\n", "  x: float[batch, time, 8]\n  other: float[batch, 8]\n")
    text = text.replace("alone: {output: y, input: x, valid: valid}", rule)
    path = tmp_path / "padded.yaml"
    path.write_text(
        text.replace("\noutputs:", "\n  z: other * 2\noutputs:").replace(
            "outputs: {", "outputs: {z: 'float[batch, 8]', "
        )
    )
    with pytest.raises(SpecError, match=code):
        check(path)
