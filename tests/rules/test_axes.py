"""Along which axis rules compare positions, and for which output positions they speak."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import Report, check
from archspec.diagnostics import SpecError
from archspec.lower.emission import emit
from tests.options import option

DIMS = {"time": "[1, 6, 12]", "rows": "[1, 4, 8]", "columns": "[2, 4, 8]"}


def report(folder: Path, inputs: str, graph: str, outputs: str, *rules: str) -> Report:
    """Check a small model; sections are written on one line."""
    path = folder / "small.yaml"
    lines = "".join(f"  - {rule}\n" for rule in rules)
    dims = ", ".join(["batch: [1, 2, 4]", *(f"{name}: {size}" for name, size in DIMS.items() if name in inputs)])
    head = f"archspec: 1\nname: small\ndims: {{{dims}}}\n"
    path.write_text(f"{head}inputs: {inputs}\ngraph: {graph}\noutputs: {outputs}\nrules:\n{lines}", encoding="utf-8")
    return check(path)


def statuses(found: Report) -> list[str]:
    return [verdict.status for verdict in found.verdicts[: len(found.spec.rules)]]


def conv(folder: Path, *rules: str) -> list[str]:
    """A convolution over time of 5 taps, channels in front."""
    size = "float[batch, 8, time]"
    graph = "{y: {block: conv, input: x, channels: 8, kernel: 5, padding: 2, groups: 8}}"
    return statuses(report(folder, f'{{x: "{size}"}}', graph, f'{{y: "{size}"}}', *rules))


def test_positions_are_those_of_the_axis_that_holds_a_dim(tmp_path: Path) -> None:
    assert conv(tmp_path, "causal: {output: y, input: x}") == ["violated"]
    rules = [f"window: {{output: y, input: x, back: {n}, ahead: {n}}}" for n in (1, 2)]
    assert conv(tmp_path, *rules) == ["violated", "proved"]


@option("causal.axis", "window.axis", "within.axis", "covers.axis")
@pytest.mark.parametrize("axis", ["1", "[1, 1]", "-2"])
def test_a_named_axis_is_taken(axis: str, tmp_path: Path) -> None:
    # Each channel is its own group, so that along the channels nothing is read but itself.
    found = conv(
        tmp_path,
        f"causal: {{output: y, input: x, axis: {axis}}}",
        f"window: {{output: y, input: x, back: 0, ahead: 0, axis: {axis}}}",
        f"within: {{output: y, input: x, mask: last(1), axis: {axis}}}",
        f"covers: {{output: y, input: x, mask: last(1), axis: {axis}}}",
        f"covers: {{output: y, input: x, mask: last(2), axis: {axis}}}",
    )
    assert found == ["proved", "proved", "proved", "wired", "violated"]


@option("causal.axis=none", "window.axis=none", "within.axis=none", "covers.axis=none")
def test_an_axis_that_is_none_is_left_out(tmp_path: Path) -> None:
    found = conv(
        tmp_path,
        "causal: {output: y, input: x, axis: none}",
        "window: {output: y, input: x, back: 2, ahead: 2, axis: none}",
        "within: {output: y, input: x, mask: within(2), axis: none}",
        "covers: {output: y, input: x, mask: within(1), axis: none}",
    )
    assert found == ["violated", "proved", "proved", "wired"]


@option("causal.axis")
def test_each_value_has_an_axis_of_its_own(tmp_path: Path) -> None:
    inputs, graph = '{x: "float[batch, 8, time]"}', "{y: {block: rearrange, input: x, pattern: b c t -> b t c}}"
    rules = [f"causal: {{output: y, input: x{axis}}}" for axis in ("", ", axis: [time, time]", ", axis: [1, 2]")]
    found = report(tmp_path, inputs, graph, '{y: "float[batch, time, 8]"}', *rules)
    assert statuses(found) == ["proved"] * 3


def test_rows_and_columns_of_a_map_are_told_apart(tmp_path: Path) -> None:
    size = "float[batch, 3, rows, columns]"
    graph = "{y: {block: shift, input: x, axis: 3, by: 1, fill: 0}}"
    window = "window: {{output: y, input: x, back: {0}, ahead: 0, axis: {1}}}"
    rules = [window.format(*one) for one in ((0, "rows"), (0, "columns"), (1, "columns"), (0, 1))]
    found = report(tmp_path, f'{{x: "{size}"}}', graph, f'{{y: "{size}"}}', *rules)
    assert statuses(found) == ["proved", "violated", "proved", "proved"]


def test_a_sequence_of_fixed_length_is_known_by_its_block(tmp_path: Path) -> None:
    inputs = '{x: "float[batch, 9, 8]"}'
    linear = (
        "{block: encoder, input: x, layers: 1, residual: bare, "
        "attention: none, feed_forward: {hidden: 8, activation: relu}}"
    )
    attend = "{block: attend, query: h, key: h, value: h, mask: causal}"
    graph = f"{{h: {linear}, a: {attend}, y: a + h}}"
    found = report(tmp_path, inputs, graph, '{y: "float[batch, 9, 8]"}', "causal: {output: y, input: h}")
    assert statuses(found) == ["proved"]
    with pytest.raises(SpecError) as raised:
        report(tmp_path, inputs, graph, '{y: "float[batch, 9, 8]"}', "causal: {output: y, input: x}")
    assert [one.code for one in raised.value.diagnostics] == ["E424"]


def test_a_predicate_and_segments_find_their_axis(tmp_path: Path) -> None:
    size = "float[batch, 8, time]"
    inputs = f'{{x: "{size}", valid: "bool[batch, time]", text: "int64[batch, time]"}}'
    transposed = "pattern: b c t -> b t c"
    graph = (
        f"{{h: {{block: rearrange, input: x, {transposed}}}, "
        "a: {block: attend, query: h, key: h, value: h, mask: key_valid(valid) & same_segment(text)}, "
        "y: {block: rearrange, input: a, pattern: b t c -> b c t}}"
    )
    rules = ("ignores: {output: y, input: x, where: not valid}", "segments: {output: y, input: x, by: text}")
    found = report(tmp_path, inputs, graph.replace("  ", " "), f'{{y: "{size}"}}', *rules)
    assert statuses(found) == ["proved", "proved"]


OPEN = '{x: "float[batch, time, 8]", open: "bool[batch, time]", text: "int64[batch, time]"}'
STATES = '{y: "float[batch, time, 8]"}'
RULES = {
    "causal": "causal: {output: y, input: x%s}",
    "window": "window: {output: y, input: x, back: 12, ahead: 0%s}",
    "within": "within: {output: y, input: x, mask: causal%s}",
    "segments": "segments: {output: y, input: x, by: text%s}",
}


@option("{kind}.at")
@pytest.mark.parametrize("kind", RULES)
def test_a_rule_may_speak_of_some_output_positions_alone(kind: str, tmp_path: Path) -> None:
    # Where `open` holds everything is read, which breaks every rule for those positions.
    graph = "{y: {block: attend, query: x, key: x, value: x, mask: causal & same_segment(text) | query_valid(open)}}"
    rules = (RULES[kind] % "", RULES[kind] % ", at: not open", RULES[kind] % ", at: open")
    found = report(tmp_path, OPEN, graph, STATES, *rules)
    assert statuses(found) == ["violated", "proved", "violated"]
    assert found.verdicts[1].explanation == "at all sizes, at output positions where not open"


@option("causal.at=none", "window.at=none", "within.at=none", "segments.at=none")
def test_at_none_is_every_position(tmp_path: Path) -> None:
    graph = "{y: {block: attend, query: x, key: x, value: x, mask: causal & same_segment(text) & key_valid(open)}}"
    rules = [rule % ", at: none" for rule in RULES.values()]
    assert statuses(report(tmp_path, OPEN, graph, STATES, *rules)) == ["proved"] * 4


def test_a_predicate_of_at_stands_over_the_outputs_positions(tmp_path: Path) -> None:
    graph = "{y: {block: pool, input: x, kind: mean}}"
    with pytest.raises(SpecError) as raised:
        report(tmp_path, OPEN, graph, '{y: "float[batch, 8]"}', "within: {output: y, input: x, mask: all, at: open}")
    assert "E402" in {one.code for one in raised.value.diagnostics}


def test_rows_stand_apart_in_an_axis_that_merges_the_batch(tmp_path: Path) -> None:
    heads = "{block: rearrange, input: x, pattern: b n (h c) -> (b h) n c, sizes: {h: 2}}"
    mixed = f"{{z: {heads}, y: {{block: l2_normalize, input: z, axis: 0}}}}"
    for graph, wanted in ((f"{{y: {heads}}}", {"proved"}), (mixed, {"violated", "unknown"})):
        outputs = '{y: "float[2*batch, time, 2]"}'
        found = report(tmp_path, '{x: "float[batch, time, 4]"}', graph, outputs, "sees: {output: y, input: x}")
        assert found.verdicts[-1].status in wanted


def test_a_merged_axis_is_rearranged_back_in_a_node_that_rules_alone_read(tmp_path: Path) -> None:
    inputs = '{x: "float[batch, 3, rows, columns]"}'
    grid = "{block: rearrange, input: y, pattern: b (h w) c -> b h w c, sizes: {h: rows}}"
    graph = f"{{y: {{block: rearrange, input: x, pattern: b c h w -> b (h w) c}}, grid: {grid}, other: x * 2}}"
    window = "window: {{output: {0}, input: {1}, back: 0, ahead: 0, axis: {2}}}"
    rules = [window.format("grid", "x", axis) for axis in ("rows", "columns")]
    outputs = '{y: "float[batch, rows*columns, 3]"}'
    found = report(tmp_path, inputs, graph.replace(", other: x * 2", ""), outputs, *rules)
    assert statuses(found) == ["proved", "proved"]
    assert found.diagnostics == ()
    assert "unflatten" not in emit(found.accept())
    # A value that leads nowhere is no input of anything: it is warned of, and the verdict says what it rests on.
    found = report(tmp_path, inputs, graph, outputs, window.format("grid", "other", "rows"))
    assert [one.code for one in found.diagnostics] == ["W201"]
    assert found.verdicts[0].explanation == "at all sizes, `grid` does not depend on `other`"


def test_a_value_that_lacks_the_axis_of_the_predicate_is_not_asked(tmp_path: Path) -> None:
    # The gates are over the first two axes of the output, and have no axis of positions.
    graph = (
        "{x: {block: token_embedding, ids: ids, vocab: 5, dim: 4}, t: {block: rearrange, input: x, "
        "pattern: b n d -> b d n}, y: {block: squeeze_excite, input: t, reduction: 2}}"
    )
    inputs, outputs = '{ids: "int64[batch, time] < 5"}', '{y: "float[batch, 4, time]"}'
    # An id that stays 2 is no change: the rule holds, and is not refuted where it is not proved.
    found = report(tmp_path, inputs, graph, outputs, "ignores: {output: y, input: ids, where: ids == 2}")
    assert statuses(found)[0] in ("proved", "unknown")


def test_a_witness_tells_the_controls_of_the_rule(tmp_path: Path) -> None:
    inputs = '{x: "float[batch, time, 4]", valid: "bool[batch, time]"}'
    graph = (
        "{y: {block: attend, query: x, key: x, value: x, mask: all}, z: {block: shift, input: valid, axis: 1, by: 1}}"
    )
    outputs = '{y: "float[batch, time, 4]", z: "bool[batch, time]"}'
    rule = "within: {output: y, input: x, mask: key_valid(valid)}"
    found = report(tmp_path, inputs, graph, outputs, rule)
    (leak,) = found.verdicts[0].diagnostics
    assert [note for note in leak.notes if note.startswith("`valid` is [[")]
