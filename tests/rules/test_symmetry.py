"""Rules on symmetry over architectures whose symmetry is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import Report, check
from archspec.diagnostics import SpecError
from archspec.rules.judge import Judge
from archspec.spec import load
from tests.options import option
from tests.rules.symmetry_fuzz import wrong

MAPS = """archspec: 1
name: maps
dims:
  batch: [1, 2, 4]
  rows: {{min: 8, typical: 16, max: {most}, multiple: 4}}
  columns: {{min: 8, typical: 16, max: {most}, multiple: 4}}
inputs:
  pixels: float[batch, 3, rows, columns]
defaults: {{norm: batch_norm}}
graph:
  round:
    - {{block: conv, input: pixels, channels: 4, kernel: 3, padding: circular, norm: true, activation: relu}}
    - {{block: avg_pool, kernel: 2}}
    - {{block: conv, channels: 4, kernel: 3, padding: circular, activation: relu}}
    - {{block: max_pool, kernel: 2}}
  zeros:
    - {{block: conv, input: pixels, channels: 4, kernel: 3, padding: same, norm: true, activation: relu}}
    - {{block: conv_residual, kind: basic, channels: 8, layers: 2, stride: 2}}
  excited: {{block: squeeze_excite, input: round, reduction: 2}}
  bare: {{block: conv, input: pixels, channels: 4, kernel: 3}}
  pooled: {{block: pool, input: excited, kind: mean}}
  scores: {{block: linear, input: pooled, dim: 5}}
outputs:
  scores: float[batch, 5]
  zeros: {{from: zeros, type: "float[batch, 8, rows//2, columns//2]"}}
  bare: {{from: bare, type: "float[batch, 4, rows - 2, columns - 2]"}}
rules:
{rules}
"""
PATCHES = """archspec: 1
name: patches
dims: {{batch: [1, 2, 4]}}
inputs:
  pixels: float[batch, 3, 16, 24]
defaults: {{norm: layer_norm}}
graph:
  tokens: {{block: patch_embedding, input: pixels, patch: 4, dim: 16, class_token: true{positions}}}
  states:
    block: encoder
    input: tokens
    layers: 2
    residual: pre
    final_norm: true
    attention: {{heads: 2, mask: all{attention}}}
    feed_forward: {{hidden: 32, activation: gelu}}
  patches: {{block: slice, input: states, axis: 1, start: 1}}
  grid: {{block: rearrange, input: patches, pattern: "b (h w) c -> b h w c", sizes: {{h: 4}}}}
  logits:
    - {{block: pool, input: states, kind: first}}
    - {{block: linear, dim: 7}}
  flat: {{block: rearrange, input: states, pattern: "b n c -> b (n c)"}}
  flattened: {{block: linear, input: flat, dim: 7}}
outputs:
  logits: float[batch, 7]
  flattened: float[batch, 7]
rules:
{rules}
"""
TOKENS = """archspec: 1
name: tokens
dims: {{batch: [1, 2, 4], length: [1, 32, 64]}}
inputs:
  ids: int64[batch, length] < 31
  valid: bool[batch, length]
defaults: {{norm: rms_norm}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: 31, dim: 8{positions}}}
  states:
    block: transformer
    input: source
    layers: 3
    residual: pre
    final_norm: true
    attention: {{heads: 2, mask: {mask}{attention}}}
    feed_forward: {{hidden: 16, activation: silu, gated: true}}
  mean: {{block: pool, input: states, kind: mean, valid: valid}}
outputs:
  states: float[batch, length, 8]
  mean: float[batch, 8]
rules:
{rules}
"""


def report(folder: Path, text: str, *rules: str, **fields: object) -> Report:
    known = {"positions": "", "attention": "", "mask": "all", "most": 64, **fields}
    path = folder / "known.yaml"
    path.write_text(text.format(rules="\n".join(f"  - {rule}" for rule in rules), **known), encoding="utf-8")
    return check(path)


def status(found: Report) -> str:
    return found.verdicts[0].status


def broken_by(found: Report) -> tuple[str, int | None]:
    """What the verdict says of the node, and its line."""
    primary = found.verdicts[0].diagnostics[0].primary
    assert primary is not None
    return found.verdicts[0].explanation, primary.span.line


def equivariant(output: str, axes: str, stride: int | str, border: str = "") -> str:
    more = f", border: {border}" if border else ""
    return f"equivariant: {{output: {output}, input: pixels, axis: {axes}, stride: {stride}{more}}}"


@option("rule.equivariant", "equivariant.axis", "equivariant.stride")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (equivariant("round", "[2, 2]", 4, "circular"), "proved"),
        (equivariant("round", "[3, 3]", 4, "circular"), "proved"),
        (equivariant("round", "[2, 2]", 8, "circular"), "violated"),
        (equivariant("round", "[2, 2]", 2, "circular"), "violated"),
        (equivariant("round", "[2, 3]", 4, "circular"), "violated"),
        (equivariant("excited", "[2, 2]", 4, "circular"), "proved"),
        (equivariant("round", "[2, 2]", 4), "proved"),
        (equivariant("zeros", "[2, 2]", 2), "proved"),
        (equivariant("zeros", "[2, 2]", 2, "interior"), "proved"),
        (equivariant("zeros", "[3, 3]", 1), "violated"),
        (equivariant("zeros", "[3, 3]", 2, "circular"), "violated"),
        (equivariant("bare", "[3, 3]", 1), "proved"),
        (equivariant("bare", "[3, 3]", 1, "circular"), "violated"),
    ],
)
def test_maps(tmp_path: Path, rule: str, expected: str) -> None:
    assert status(report(tmp_path, MAPS, rule)) == expected


ENLARGED = """archspec: 1
name: enlarged
dims: {{batch: [1, 2, 4], rows: {{min: 8, typical: 16, max: 64, multiple: 2}}}}
inputs:
  pixels: float[batch, 3, rows, 16]
graph:
  even: {{block: conv_transpose, input: pixels, channels: 4, kernel: 2, stride: 2}}
  uneven: {{block: conv_transpose, input: pixels, channels: 4, kernel: 3, stride: 2, padding: 1, output_padding: 1}}
  smooth: {{block: resize, input: pixels, mode: bilinear, factor: 2}}
  wide: {{block: resize, input: pixels, mode: bicubic, size: [3*rows//2, 24]}}
  evens: {{block: avg_pool, input: even, kernel: 2}}
  unevens: {{block: conv, input: uneven, channels: 4, kernel: 3, stride: 2, padding: 1}}
  smooths: {{block: conv, input: smooth, channels: 4, kernel: 4, stride: 4}}
  wides: {{block: conv, input: wide, channels: 4, kernel: 3, stride: 3}}
  mean: {{block: pool, input: even, kind: mean}}
  means: {{block: pool, input: uneven, kind: mean}}
outputs:
  evens: float[batch, 4, rows, 16]
  unevens: float[batch, 4, rows, 16]
  smooths: float[batch, 4, rows//2, 8]
  wides: float[batch, 4, rows//2, 8]
  mean: float[batch, 4]
  means: float[batch, 4]
rules:
{rules}
"""


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (equivariant("evens", "[2, 2]", 1, "circular"), "proved"),
        (equivariant("evens", "[3, 3]", 1), "proved"),
        (equivariant("unevens", "[2, 2]", 1), "proved"),
        (equivariant("unevens", "[2, 2]", 1, "circular"), "violated"),
        (equivariant("smooths", "[2, 2]", 2), "proved"),
        (equivariant("smooths", "[2, 2]", 1), "violated"),
        (equivariant("smooths", "[2, 2]", 2, "circular"), "violated"),
        (equivariant("wides", "[3, 3]", 2), "proved"),
        (equivariant("wides", "[3, 3]", 1), "violated"),
        # The enlarged maps themselves: by 2 where the input moves by 1, and by 3 where it moves by 2.
        (equivariant("even", "[2, 2]", "1/2", "circular"), "proved"),
        (equivariant("even", "[2, 2]", "1/2"), "proved"),
        (equivariant("even", "[2, 2]", "2/4"), "proved"),
        (equivariant("even", "[2, 2]", "0.5"), "proved"),
        (equivariant("even", "[2, 2]", 1), "violated"),
        (equivariant("even", "[2, 2]", "1/3"), "violated"),
        (equivariant("uneven", "[3, 3]", "1/2"), "proved"),
        (equivariant("uneven", "[3, 3]", "1/2", "circular"), "violated"),
        (equivariant("smooth", "[2, 2]", "1/2"), "proved"),
        (equivariant("smooth", "[2, 2]", "3/2"), "violated"),
        (equivariant("wide", "[2, 2]", "2/3"), "proved"),
        (equivariant("wide", "[3, 3]", "2/3"), "proved"),
        (equivariant("wide", "[3, 3]", "1/3"), "violated"),
        (equivariant("wide", "[3, 3]", "1/2"), "violated"),
        ("invariant: {output: mean, input: pixels, axis: rows}", "proved"),
        ("invariant: {output: means, input: pixels, axis: rows}", "violated"),
    ],
)
def test_maps_that_are_enlarged(tmp_path: Path, rule: str, expected: str) -> None:
    """A map that grows s times moves s times as far; ends that a tap leaves or that are repeated do not wrap around."""
    assert status(report(tmp_path, ENLARGED, rule)) == expected
    judge = Judge(load(tmp_path / "known.yaml"))
    assert expected != "proved" or not wrong(judge, judge.verdict(judge.spec.rules[0]))


@pytest.mark.parametrize(
    ("stride", "code", "message"),
    [
        ("0", "E304", "`stride` is `0`, expected a whole number or a ratio of two, above 0"),
        ("-1/2", "E304", "`stride` is `-1/2`, expected a whole number or a ratio of two, above 0"),
        ("sqrt(2)", "E304", "`stride` is `sqrt(2)`, expected a whole number or a ratio of two, above 0"),
        ("rows/16", "E341", "`stride` depends on `rows`, which is only known at run time"),
    ],
)
def test_a_stride_is_a_ratio_above_0(tmp_path: Path, stride: str, code: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        report(tmp_path, ENLARGED, equivariant("even", "[2, 2]", stride))
    assert [(one.code, one.message) for one in raised.value.diagnostics] == [(code, message)]


@option("rule.invariant", "invariant.axis")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("invariant: {output: scores, input: pixels, axis: rows, stride: 4}", "proved"),
        ("invariant: {output: scores, input: pixels, axis: columns, stride: 8}", "proved"),
        ("invariant: {output: scores, input: pixels, axis: columns, stride: 2}", "violated"),
        ("invariant: {output: scores, input: pixels, axis: columns}", "violated"),
        ("invariant: {output: pooled, input: round, axis: 2}", "proved"),
        ("invariant: {output: round, input: pixels, axis: 2, stride: 4}", "violated"),
    ],
)
def test_pooled_maps(tmp_path: Path, rule: str, expected: str) -> None:
    """The mean of a map is invariant at the stride of the map, and not below it."""
    assert status(report(tmp_path, MAPS, rule)) == expected


@option("equivariant.border=circular", "equivariant.border=interior", "invariant.stride")
def test_rules_side_by_side(tmp_path: Path) -> None:
    """Zeros at the borders keep the symmetry inside alone; a mean of what they reach has none."""
    found = report(
        tmp_path,
        MAPS,
        equivariant("zeros", "[2, 2]", 2, "interior"),
        equivariant("zeros", "[2, 2]", 2, "circular"),
        "invariant: {output: scores, input: pixels, axis: rows, stride: 4}",
    )
    assert [one.status for one in found.verdicts[:3]] == ["proved", "violated", "proved"]


def test_the_node_that_breaks_it_is_named_with_a_measured_witness(tmp_path: Path) -> None:
    found = report(tmp_path, MAPS, equivariant("zeros", "[3, 3]", 2, "circular"))
    explanation, line = broken_by(found)
    assert explanation == "`zeros.0` pads the axis with zeros, so that nothing enters at its ends"
    assert line == 17
    (diagnostic,) = found.verdicts[0].diagnostics
    assert diagnostic.code == "E420"
    assert "expected" in diagnostic.message
    assert "largest value" in diagnostic.notes[1]


def test_the_field_of_a_proof_is_told(tmp_path: Path) -> None:
    (first, *_) = report(tmp_path, MAPS, equivariant("zeros", "[2, 2]", 2)).verdicts
    # 3, then 3 at stride 2, then three more of 3: 1 + 2 + 2 + 3 * 4.
    assert "all 17 positions of the field are inside" in first.explanation


def test_a_rule_without_positions_is_vacuous(tmp_path: Path) -> None:
    found = report(tmp_path, MAPS, equivariant("zeros", "[2, 2]", 2), most=16)
    assert [one.code for one in found.verdicts[0].diagnostics] == ["E425"]
    assert "the fields of two positions of `zeros`" in found.verdicts[0].explanation
    everywhere = report(tmp_path, PATCHES, equivariant("grid", "[1, 2]", 4))
    assert [one.code for one in everywhere.verdicts[0].diagnostics] == ["E425"]
    assert not everywhere.holds


SHORT = """archspec: 1
name: short
dims: {{batch: [1, 2, 4], length: [1, 2, {most}]}}
inputs: {{x: "float[batch, 2, length]"}}
graph:
  y: {{block: conv, input: x, channels: 2, kernel: 3, padding: same}}
outputs: {{y: "float[batch, 2, length]"}}
rules:
{rules}
"""


@pytest.mark.parametrize(("most", "codes"), [(2, ["E425"]), (3, ["E425"]), (4, [])])
def test_a_move_takes_two_positions_inside(most: int, codes: list[str], tmp_path: Path) -> None:
    """Of n positions n - 2 have a field of 3 inside: none, one, which nothing moves to, and two."""
    found = report(tmp_path, SHORT, "equivariant: {output: y, input: x, axis: [2, 2], stride: 1}", most=most)
    assert [one.code for one in found.verdicts[0].diagnostics] == codes


@pytest.mark.parametrize("axes", ["[1, 2]", "[2, 3]"])
def test_attention_without_positions_moves_by_whole_patches(tmp_path: Path, axes: str) -> None:
    assert status(report(tmp_path, PATCHES, equivariant("grid", axes, 4, "circular"))) == "proved"
    assert status(report(tmp_path, PATCHES, equivariant("grid", axes, 2, "circular"))) == "violated"


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "grid_sincos"])
def test_absolute_positions_break_it(tmp_path: Path, positions: str) -> None:
    found = report(
        tmp_path, PATCHES, equivariant("grid", "[1, 2]", 4, "circular"), positions=f", positions: {positions}"
    )
    assert status(found) == "violated"
    assert broken_by(found) == ("`tokens` takes values of absolute positions, which do not move (operand 1)", 8)


def test_relative_positions_do_not_wrap_around(tmp_path: Path) -> None:
    found = report(tmp_path, PATCHES, equivariant("grid", "[1, 2]", 4, "circular"), attention=", positions: alibi")
    assert status(found) == "violated"
    assert broken_by(found)[0].endswith("changes its scores by values that do not move with them")


@pytest.mark.parametrize("coordinates", ["index", "centred"])
def test_rotations_by_rows_and_columns_do_not_wrap_around(tmp_path: Path, coordinates: str) -> None:
    positions = f", positions: {{kind: rotary_grid, grid: [4, 6], layout: half, coordinates: {coordinates}}}"
    for axes in ("[1, 2]", "[2, 3]"):
        found = report(tmp_path, PATCHES, equivariant("grid", axes, 4, "circular"), attention=positions)
        assert status(found) == "violated"
        assert broken_by(found)[0].endswith(
            "turns queries and keys by angles of their positions, which do not wrap around"
        )


@pytest.mark.parametrize("coordinates", ["index", "centred"])
@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("[length, 1]", "proved"),
        ("[1, length]", "proved"),
        ("[length//2, 2]", "violated"),
        ("[2, length//2]", "violated"),
    ],
)
def test_rotations_in_a_grid_are_relative_along_a_row_or_a_column(
    tmp_path: Path, coordinates: str, grid: str, expected: str
) -> None:
    """A step in a sequence is a step in a grid of one row or one column, and none in any other."""
    # A centred coordinate with frequency 1 makes whole turns, so that it would wrap around.
    options = f"layout: half, coordinates: {coordinates}, frequencies: alternating"
    positions = f", positions: {{kind: rotary_grid, grid: {grid}, {options}}}"
    text = TOKENS.replace("length: [1, 32, 64]", "length: {{min: 8, typical: 32, max: 64, multiple: 2}}")
    found = report(tmp_path, text, LINE, mask="last(3)", attention=positions)
    assert status(found) == expected
    judge = Judge(load(tmp_path / "known.yaml"))
    assert expected != "proved" or not wrong(judge, judge.verdict(judge.spec.rules[0]))


@pytest.mark.parametrize(
    ("output", "positions", "expected"),
    [("logits", "", "proved"), ("logits", ", positions: learned", "violated"), ("flattened", "", "violated")],
)
def test_what_is_read_off_a_class_token(tmp_path: Path, output: str, positions: str, expected: str) -> None:
    rule = f"invariant: {{output: {output}, input: pixels, axis: 2, stride: 4}}"
    assert status(report(tmp_path, PATCHES, rule, positions=positions)) == expected


def test_flattening_breaks_at_the_map_that_weighs_positions(tmp_path: Path) -> None:
    found = report(tmp_path, PATCHES, "invariant: {output: flattened, input: pixels, axis: 2, stride: 4}")
    assert broken_by(found) == (
        "`flattened` reads all positions of the axis that moves, each with a weight of its own",
        23,
    )


LINE = "equivariant: {output: states, input: ids, stride: 1}"
CYCLE = "equivariant: {output: states, input: ids, stride: 1, border: circular}"


@pytest.mark.parametrize(
    ("rule", "mask", "attention", "positions", "expected"),
    [
        (CYCLE, "all", "", "", "proved"),
        (CYCLE, "all", "", ", positions: sinusoidal", "violated"),
        (CYCLE, "all", ", positions: {kind: rotary, layout: half}", "", "violated"),
        (CYCLE, "last(3)", "", "", "violated"),
        (CYCLE, "key_valid(valid)", "", "", "violated"),
        (CYCLE, "key_valid(ids != 0)", "", "", "proved"),
        (CYCLE, "same_segment(ids)", "", "", "proved"),
        (CYCLE, "prefix(2)", "", "", "violated"),
        (LINE, "last(3)", "", "", "proved"),
        (LINE, "within(2)", "", "", "proved"),
        (LINE, "within(2) & key_valid(ids != 0)", "", "", "proved"),
        (LINE, "within(2) & key_valid(valid)", "", "", "violated"),
        (LINE, "last(3)", ", positions: {kind: rotary, layout: half}", "", "proved"),
        (LINE, "within(2)", ", positions: alibi", "", "proved"),
        (
            LINE,
            "within(2)",
            ", positions: {kind: relative_buckets, buckets: 8, max_distance: 16, bidirectional: true, share: true}",
            "",
            "proved",
        ),
        (LINE, "last(3)", "", ", positions: sinusoidal", "violated"),
        (LINE, "causal", "", "", "unknown"),
        (LINE, "all", "", "", "unknown"),
    ],
)
def test_tokens(tmp_path: Path, rule: str, mask: str, attention: str, positions: str, expected: str) -> None:
    found = report(tmp_path, TOKENS, rule, mask=mask, attention=attention, positions=positions)
    assert status(found) == expected
    if expected == "unknown":
        assert [one.code for one in found.verdicts[0].diagnostics] == ["E425"]


@option("equivariant.at", "invariant.at")
def test_rules_about_some_output_positions(tmp_path: Path) -> None:
    rule = "equivariant: {output: states, input: ids, stride: 1, border: circular, at: valid}"
    found = report(tmp_path, TOKENS, rule)
    assert status(found) == "proved"
    assert "at output positions where valid" in found.verdicts[0].explanation
    assert status(report(tmp_path, TOKENS, rule, mask="last(3)")) == "violated"
    same = "invariant: {output: states, input: ids, at: valid}"
    assert status(report(tmp_path, TOKENS, same)) == "violated"


@option("equivariant.at=none", "equivariant.axis=none", "invariant.at=none", "invariant.axis=none")
def test_axes_and_positions_that_are_left_out(tmp_path: Path) -> None:
    both = "output: states, input: ids, axis: none, at: none"
    rules = f"equivariant: {{{both}, stride: 1, border: circular}}", f"invariant: {{{both}}}"
    found = report(tmp_path, TOKENS, *rules)
    assert [one.status for one in found.verdicts[:2]] == ["proved", "violated"]


RESNET = """archspec: 1
extends: resnet-50
name: moved
rules:
{rules}
"""


def test_a_convolutional_network_moves_by_its_stride_inside(tmp_path: Path) -> None:
    """The fields are those of every introduction: 35, 91, 267; no map of 224 pixels holds one of 427."""
    rules = [f"stage{k}, input: pixels, axis: [2, 2], stride: {2 ** (k + 1)}" for k in (1, 2, 3, 4)]
    found = report(tmp_path, RESNET, *(f"equivariant: {{output: {one}}}" for one in rules[:2]))
    assert [one.explanation.split("all ")[-1].split(" ")[0] for one in found.verdicts[:2]] == ["35", "91"]
    path = tmp_path / "large.yaml"
    text = RESNET.format(rules="\n".join(f"  - equivariant: {{output: {one}}}" for one in rules[2:]))
    path.write_text(text.replace("name: moved", "name: moved\nconstants: {image: 512}"), encoding="utf-8")
    large = check(path)
    assert [one.explanation.split("all ")[-1].split(" ")[0] for one in large.verdicts[:2]] == ["267", "427"]
    small = report(tmp_path, RESNET, f"equivariant: {{output: {rules[3]}}}")
    assert [one.code for one in small.verdicts[0].diagnostics] == ["E425"]


WINDOWS = """archspec: 1
name: windows
dims: {{batch: [1, 2, 4]}}
inputs:
  map: float[batch, 8, 12, 4]
graph:
  windows: {{block: rearrange, input: map, pattern: "b (n h) w c -> (b n) (h w) c", sizes: {{h: 2}}}}
  mixed: {{block: attend, query: windows, key: windows, value: windows, mask: all}}
  back: {{block: rearrange, input: mixed, pattern: "(b n) (h w) c -> b (n h) w c", sizes: {{n: 4, h: 2}}}}
  parts: {{block: rearrange, input: back, pattern: "b (n h) w c -> b n h w c", sizes: {{h: 2}}}}
outputs:
  back: float[batch, 8, 12, 4]
rules:
{rules}
"""


def test_attention_within_windows_moves_by_whole_windows(tmp_path: Path) -> None:
    """Of eight rows in windows of two: a move by two rows moves windows, and one by a single row tears them."""

    def rule(axis: int, stride: int) -> str:
        where = f"axis: [{axis}, {axis}], stride: {stride}, border: circular"
        return f"equivariant: {{output: back, input: map, {where}}}"

    # Along the columns every window is moved in itself.
    assert status(report(tmp_path, WINDOWS, rule(2, 1))) == "proved"
    torn = report(tmp_path, WINDOWS, rule(1, 1))
    assert status(torn) == "violated"
    assert broken_by(torn) == ("the node `split` has parts of 2 positions, which do not divide a move by 1", 7)
    whole = "equivariant: {output: parts, input: map, axis: [1, 1], stride: 2, border: circular}"
    assert status(report(tmp_path, WINDOWS, whole)) == "proved"


BLURRED = """archspec: 1
name: blurred
dims: {{batch: [1, 2, 4]}}
inputs:
  pixels: float[batch, 3, 16, 16]
defaults: {{norm: batch_norm}}
graph:
  map: {{block: conv, input: pixels, channels: 4, kernel: 3, padding: circular, norm: true, activation: relu}}
  round: {{block: rearrange, input: map, pattern: "b c h w -> b c h w"}}
{blur}
  coarse: {{block: max_pool, input: BLUR, kernel: 1, stride: 4}}
  pooled: {{block: pool, input: coarse, kind: mean}}
outputs:
  pooled: float[batch, 4]
rules:
{rules}
"""


def deviation(found: Report) -> float:
    note = found.verdicts[0].diagnostics[0].notes[1]
    return float(note.split("up to ")[1].split(" ")[0])


def test_a_blur_before_the_stride_lowers_the_deviation(tmp_path: Path) -> None:
    rule = "invariant: {output: pooled, input: pixels, axis: 2, stride: 1}"
    plain = report(tmp_path, BLURRED.replace("BLUR", "round"), rule, blur="")
    blur = "  blur: {block: avg_pool, input: round, kernel: 3, stride: 1}"
    smooth = report(tmp_path, BLURRED.replace("BLUR", "blur"), rule, blur=blur)
    assert [status(plain), status(smooth)] == ["violated", "violated"]
    assert deviation(smooth) < deviation(plain) / 1.5


SIGNAL = """archspec: 1
name: signal
dims: {{batch: [1, 2, 8], x: {{min: 16, typical: 32, max: 128, multiple: {multiple}}}}}
inputs:
  signal: float[batch, 3, x]
graph:
  first: {{block: conv, input: signal, channels: 4, kernel: 5, stride: 2, padding: 2, activation: relu}}
  second: {{block: conv, input: first, channels: 4, kernel: 3, padding: 2, dilation: 2}}
  pooled: {{block: max_pool, input: second, kernel: 2}}
  same: signal * 1
outputs:
  pooled: {{from: pooled, type: "float[batch, 4, x//4]"}}
  same: float[batch, 3, x]
rules:
{rules}
"""


def moved_and_long(found: Report) -> tuple[int, int]:
    """By how much the witness moves the input, and how long it is."""
    note = found.verdicts[0].diagnostics[0].notes[0]
    return int(note.split("moved by ")[1].split(" ")[0]), int(note.split("x = ")[1])


def test_a_witness_is_found_above_the_least_sizes(tmp_path: Path) -> None:
    """A move of the input by 2 is half a position of the output: seen where two neighbours have their field inside."""
    rule = "equivariant: {output: pooled, input: signal, stride: 2}"
    found = report(tmp_path, SIGNAL, rule, multiple=4)
    assert status(found) == "violated"
    assert broken_by(found)[0] == "`pooled` has stride 2, which does not divide a move by 1"
    # The field is 15 positions, and neighbours are 4 apart.
    assert moved_and_long(found)[1] >= 15 + 4
    assert status(report(tmp_path, SIGNAL, rule.replace("stride: 2", "stride: 4"), multiple=4)) == "proved"


@pytest.mark.parametrize("multiple", [4, 16])
def test_a_witness_is_found_where_most_lengths_divide_the_stride(tmp_path: Path, multiple: int) -> None:
    """16, 32, 64 and 128 divide 128, at which a cyclic move is none; 48 does not."""
    found = report(tmp_path, SIGNAL, "invariant: {output: same, input: signal, stride: 128}", multiple=multiple)
    assert status(found) == "violated"
    by, length = moved_and_long(found)
    assert by % length != 0


def test_what_breaks_it_where_no_node_is_named(tmp_path: Path) -> None:
    found = report(tmp_path, SIGNAL, "invariant: {output: same, input: signal}", multiple=4)
    assert broken_by(found)[0] == "the node `with_number` gives a value that moves with the input"
    itself = report(tmp_path, SIGNAL, "invariant: {output: signal, input: signal}", multiple=4)
    assert broken_by(itself)[0] == "`signal` gives a value that moves with the input"


def test_a_field_of_one_position_is_told_in_the_singular(tmp_path: Path) -> None:
    rules = (
        "equivariant: {output: same, input: signal, stride: 1}",
        "receptive_field: {output: same, input: signal, at_most: 1}",
    )
    found = report(tmp_path, SIGNAL, *rules, multiple=4)
    assert found.verdicts[0].explanation.endswith("where the one position of the field is inside")
    assert found.verdicts[1].explanation.endswith("the field is 1 position")


@pytest.mark.parametrize(("parts", "holds"), [("1, 20", (False, True)), ("20, 1", (True, False))])
def test_what_moves_is_in_the_part_that_has_positions(parts: str, holds: tuple[bool, ...], tmp_path: Path) -> None:
    """A part of one position in front, as the channel of a spectrogram, does not take the move of all behind it."""
    names = "(c f) -> b c f t" if parts.startswith("1,") else "(f c) -> b f c t"
    path = tmp_path / "split.yaml"
    for axis, expected in zip((1, 2), holds, strict=True):
        path.write_text(
            "archspec: 1\nname: split\ndims: {batch: [1, 2, 4]}\ninputs:\n  x: float[batch, 12, 20]\ngraph:\n"
            f"  y: {{block: rearrange, input: x, pattern: b t {names}, sizes: {{c: 1}}}}\n"
            f"outputs:\n  y: float[batch, {parts}, 12]\nrules:\n"
            f"  - equivariant: {{output: y, input: x, axis: [{axis}, 2], stride: 1, border: circular}}\n"
        )
        assert check(path).holds is expected
