"""What blocks refuse: the whole message for one of each sort, code and place for the rest."""

from __future__ import annotations

import pytest

from tests.blocks.surroundings import complaints, refusal
from tests.editing import edited

STACK = """\
block: encoder
input: x
layers: 2
residual: pre
norm: layer_norm
final_norm: false
attention: {heads: 4, mask: all}
feed_forward: {hidden: 8, activation: relu}
"""


def _with(old: str, new: str, node: str = STACK) -> str:
    assert old in node
    return edited(node, (old, new))


def _attention(more: str) -> str:
    return _with("mask: all", f"mask: all, {more}")


def _experts(more: str) -> str:
    return _with("relu}", f"relu, experts: {{count: 4, top_k: 3, scores: sigmoid, normalise: true, {more}}}}}")


def _tokens(more: str) -> str:
    return f"{{block: token_embedding, ids: ids, vocab: vocab, dim: 8, {more}}}"


def _patches(more: str, image: str = "pixels") -> str:
    return f"{{block: patch_embedding, input: {image}, dim: 8, {more}}}"


CROSS = "cross_attention: {heads: 4, memory: memory, mask: all}\n"


def test_options_may_be_written_as_off() -> None:
    off = "sink: none, positions: none, add_to_scores: none, multiply_scores: none, latent: none, softcap: none"
    node = _with("relu}", "relu, experts: none}", _attention(f"{off}, qk_norm: none"))
    node = _with("residual: pre", "residual: {kind: pre, drop_path: 0.0}", node)
    assert complaints(_with("norm: layer_norm\n", "norm: {kind: layer_norm, unit_offset: false}\n", node)) == []
    assert complaints(_tokens("positions: {kind: learned, length: 32, count: none, ids: none, resize: none}")) == []


OTHERS: list[tuple[str, str, str, str]] = [
    (_with("heads: 4", "heads: 7"), "E340", "`heads: 7` does not divide 64", "7"),
    (_with("heads: 4", "heads: vocab"), "E340", "`heads: 100` does not divide 64", "vocab"),
    (_attention("kv_heads: 3"), "E340", "`kv_heads: 3` does not divide `heads: 4`", "3"),
    (_with("heads: 4", "heads: n"), "E341", "`heads` depends on `n`, which is only known at run time", "n"),
    (_with("layers: 2", "layers: n"), "E341", "`layers` depends on `n`, which is only known at run time", "n"),
    (_with("norm: layer_norm\n", ""), "E243", "there is no default norm", "pre"),
    (_with("norm: layer_norm\n", "norm: true\n"), "E243", "there is no default norm", "true"),
    (_with("final_norm: false", "final_norm: true"), "E243", "there is no default norm", "true"),
    (_with("norm: layer_norm\n", "norm: none\n"), "E242", "residual `pre` needs a norm", "norm"),
    (_with("residual: pre", "residual: bare"), "E242", "residual `bare` has no norm", "norm"),
    (_with("norm: layer_norm\n", "norm: {eps: 1e-3}\n"), "E203", "missing field `kind`", "norm"),
    (_with("norm: layer_norm\n", "norm: {kind: layer_norm, eps: 0}\n"), "E244", "`eps` must be above 0, got 0", "0"),
    (_with("residual: pre", "residual: pree"), "E205", "invalid value `pree`", "pree"),
    (_attention("bias: [q, w]"), "E205", "invalid value `w`", "w"),
    (_attention("dropout: 1.5"), "E244", "rate out of range: 1.5", "1.5"),
    (_attention("softcap: 0"), "E244", "`softcap` must be above 0, got 0", "0"),
    (STACK + "dropout: -1\n", "E244", "rate out of range: -1", "-1"),
    (
        edited(_attention("heads: [4]"), ("heads: 4, ", "")),
        "E204",
        "expected an expression over constants and dims, found a list",
        "[4]",
    ),
    (STACK + CROSS, "E241", "`cross_attention` does not apply to `encoder`", "cross_attention"),
    (
        _with("residual: pre", "residual: post", _attention("pre_norm: false")),
        "E241",
        "`pre_norm: false` does not apply to residual `post`",
        "attention",
    ),
    (
        _with("encoder", "transformer", _with("residual: pre", "residual: parallel")) + CROSS,
        "E242",
        "residual `parallel` does not support `cross_attention`",
        "cross_attention",
    ),
    (
        _with("input: x", "input: valid"),
        "E342",
        "`encoder` takes float[batch, positions, features], got bool[batch, n]",
        "valid",
    ),
    (
        _tokens("types: {ids: spot, count: 2}"),
        "E347",
        "`types` is int64[batch] < 2, expected the axes [batch, n]",
        "spot",
    ),
    (
        _tokens("types: {ids: places, count: 2}"),
        "E343",
        "ids below 32 may exceed the 2 rows of the table of types",
        "places",
    ),
    (_tokens("positions: learned"), "E203", "missing field `length`", "learned"),
    (_tokens("positions: {kind: learned, grid: [2, 2]}"), "E241", "`grid` applies only to patches", "2"),
    (_tokens("positions: grid_sincos"), "E241", "`grid_sincos` applies only to patches", "grid_sincos"),
    (_patches("patch: 16, positions: grid_sinusoidal"), "E203", "missing field `count`", "grid_sinusoidal"),
    (
        _tokens("positions: {kind: grid_sinusoidal, count: valid}"),
        "E241",
        "`grid_sinusoidal` applies only to patches and in `add_positions`",
        "positions",
    ),
    (
        "{block: add_positions, input: x, kind: grid_sinusoidal, count: valid}",
        "E345",
        "the `n` positions are not known to be rows and columns",
        "add_positions",
    ),
    (
        _patches("patch: 16, positions: {kind: grid_sinusoidal, count: masked, grid: [3, 2]}"),
        "E345",
        "the grid has 3 by 2 positions, but the image has 2 by 3 patches",
        "3, 2",
    ),
    (
        _patches("patch: 16, positions: {kind: grid_sinusoidal, count: valid}"),
        "E347",
        "`count` is bool[batch, n], expected the axes [batch, 6]",
        "valid",
    ),
    (
        _patches("patch: 16, positions: {kind: grid_sinusoidal, count: sorts}"),
        "E342",
        "`count` takes a bool value, got int64[batch, n] < 2",
        "sorts",
    ),
    (
        _patches("patch: 16, positions: {kind: grid_sinusoidal, count: masked}").replace("dim: 8", "dim: 6"),
        "E348",
        "`grid_sinusoidal` positions need a multiple of 4 features, not 6",
        "positions",
    ),
    (
        _patches("patch: 16, positions: {kind: learned, grid: [2, 3], count: masked}"),
        "E242",
        "`count` and `grid` cannot be combined",
        "count",
    ),
    (_tokens("positions: {kind: sinusoidal, length: 8}"), "E241", "`length` does not apply to `sinusoidal`", "length"),
    (
        _tokens("positions: {kind: learned, length: 32, offset: 1, ids: places}"),
        "E242",
        "`ids` and `offset` cannot be combined",
        "ids",
    ),
    (
        _tokens("positions: {kind: learned, length: 8, ids: places}"),
        "E343",
        "ids below 32 may exceed the 8 rows of the table of positions",
        "places",
    ),
    (_tokens("norm: false"), "E205", "invalid value `false`", "false"),
    (_patches("patch: [16]"), "E204", "expected a list of two, found 1", "[16]"),
    (_patches("patch: 32"), "E349", "an image side of 48 is not divisible by the patch side 32", "32"),
    (_patches("patch: 32", "large"), "E349", "an image side of side is not divisible by the patch side 32", "32"),
    (
        _patches("patch: 16, positions: learned", "large"),
        "E345",
        "the grid of patches, side//16 by side//16, is only known at run time",
        "learned",
    ),
    (
        _patches("patch: 16, positions: {kind: learned, length: 6}, class_token: true"),
        "E344",
        "6 positions are too few for a sequence of `7`",
        "6",
    ),
    (
        _patches("patch: 16, mask_token: valid"),
        "E347",
        "`mask_token` is bool[batch, n], expected the axes [batch, 6]",
        "valid",
    ),
    ("{block: pool, input: x, kind: at}", "E203", "missing field `index`", "at"),
    ("{block: pool, input: x, kind: first, valid: valid}", "E241", "`valid` does not apply to `first`", "valid"),
    (
        "{block: pool, input: pixels, kind: last}",
        "E342",
        "`last` pools positions, but the input is the map float[batch, 3, 32, 48]",
        "pixels",
    ),
    (
        "{block: pool, input: x, kind: at, index: ids}",
        "E347",
        "`index` is int64[batch, n] < 100, expected the axes [batch]",
        "ids",
    ),
    (
        "{block: lm_head, input: x, tie: source.table, vocab: 99}",
        "E346",
        "`source.table` is [100, 64], but 99 rows are expected",
        "source.table",
    ),
    (
        "{block: lm_head, input: memory, tie: source.table}",
        "E346",
        "`source.table` is [100, 64], but the input has 48 features",
        "source.table",
    ),
    (
        "{block: linear, input: x, dim: 4, tie: source.table}",
        "E346",
        "`source.table` is [100, 64], but 4 rows are expected",
        "source.table",
    ),
    (
        "{block: linear, input: large, dim: 4}",
        "E341",
        "the last axis of float[batch, 3, side, side] is only known at run time",
        "large",
    ),
    (
        "{block: l2_normalize, input: large, axis: side}",
        "E350",
        "float[batch, 3, side, side] has several axes of size `side`",
        "side",
    ),
    ("{block: norm, input: x, eps: 1e-3}", "E203", "missing field `kind`", "norm"),
    ("{block: linear, input: x, dim: 4, init: {kind: normal}}", "E203", "missing field `std`", "normal"),
    (
        "{block: linear, input: x, dim: 4, init: {kind: zeros, std: 1}}",
        "E241",
        "`std` does not apply to `zeros`",
        "std",
    ),
    ("{block: activation, input: x, kind: swish}", "E205", "invalid value `swish`", "swish"),
]


@pytest.mark.parametrize(
    ("node", "code", "message", "place"), OTHERS, ids=[f"{code}-{message}" for _, code, message, _ in OTHERS]
)
def test_what_does_not_fit_is_refused_at_its_place(node: str, code: str, message: str, place: str) -> None:
    assert complaints(node) == [(code, message, place)]


def test_a_layer_without_its_sublayers_is_refused() -> None:
    node = edited(STACK, ("attention: {heads: 4, mask: all}\nfeed_forward: {hidden: 8, activation: relu}\n", ""))
    assert [found[:2] for found in complaints(node)] == [
        ("E203", "missing field `attention`"),
        ("E203", "missing field `feed_forward`"),
    ]
    without_mask = _with(", mask: all", "") + "kinds: {a: {attention: {mask: all}}, b: {}}\npattern: [a, b]\n"
    assert complaints(without_mask) == [("E203", "missing field `mask`", "attention")]


def test_final_norm_is_left_out_only_where_it_has_a_default() -> None:
    norms = {"pre": "layer_norm", "sandwich": "layer_norm", "parallel": "layer_norm", "post_branch": "layer_norm"}
    for residual, norm in {**norms, "post": "layer_norm", "bare": "none"}.items():
        node = edited(STACK, ("final_norm: false\n", ""), ("norm: layer_norm", f"norm: {norm}"))
        found = [found[:2] for found in complaints(_with("residual: pre", f"residual: {residual}", node))]
        assert found == ([] if residual in ("post", "bare") else [("E203", "missing field `final_norm`")])


MASKS = {
    "causal": True,
    "causal & key_valid(valid)": True,
    "last(3)": True,
    "causal | prefix(4)": True,
    "(causal | prefix(spot)) & key_valid(valid)": True,
    "causal & (all | within(2))": True,
    "all": False,
    "key_valid(valid)": False,
    "within(2)": False,
    "causal | within(2)": False,
    "prefix(4)": True,
    "causal | key_valid(valid)": False,
}


@pytest.mark.parametrize("mask", MASKS)
def test_a_decoder_may_not_look_ahead(mask: str) -> None:
    node = _with("mask: all", f'mask: "{mask}"', _with("encoder", "decoder"))
    found = complaints(node)
    assert found == ([] if MASKS[mask] else [("E440", "a decoder's self-attention may not look ahead", mask)])


def test_a_decoder_judges_the_mask_of_every_kind() -> None:
    kinds = (
        "kinds:\n  near: {attention: {mask: last(4)}}\n  far: {attention: {mask: within(4)}}\npattern: [near, far]\n"
    )
    node = _with("encoder", "decoder", _with(", mask: all", "")) + kinds
    assert complaints(node) == [("E440", "a decoder's self-attention may not look ahead", "within(4)")]


def test_whole_messages() -> None:
    assert (
        refusal(_with("heads: 4", "heads: 7"))
        == """\
error[E340]: `heads: 7` does not divide 64
  --> trial.yaml:18:24
   |
18 |     attention: {heads: 7, mask: all}
   |                        ^
   |
   = help: choose a number that divides the 64 features, or give `head_dim`
"""
    )
    assert (
        refusal("{block: token_embedding, ids: ids, vocab: 50, dim: 8}")
        == """\
error[E343]: ids below 100 may exceed the 50 rows of the table
  --> trial.yaml:12:35
   |
 8 |   ids: int64[batch, n] < vocab
   |   --- `ids` is int64[batch, n] < 100
...
12 |     {block: token_embedding, ids: ids, vocab: 50, dim: 8}
   |                                   ^^^
   |                                               -- 50 rows
   |
   = help: the bound of the ids must not exceed the number of rows
"""
    )
    assert (
        refusal(_tokens("positions: {kind: learned, length: 8}"))
        == """\
error[E344]: 8 positions are too few for a sequence of `n`
  --> trial.yaml:12:97
   |
 6 |   n: [2, 16, 32]
   |   - `n` reaches 32
...
12 |     {block: token_embedding, ids: ids, vocab: vocab, dim: 8, positions: {kind: learned, length: 8}}
   |                                                                                                 ^ 8 positions
   |
   = help: the largest sequence must fit: it has 32 positions
"""
    )
    assert (
        refusal(_with("encoder", "decoder", _with("all", '"causal | within(3)"')))
        == """\
error[E440]: a decoder's self-attention may not look ahead
  --> trial.yaml:18:34
   |
18 |     attention: {heads: 4, mask: "causal | within(3)"}
   |                                  ^^^^^^^^^^^^^^^^^^ this mask lets a position see later ones
   |
   = help: write `causal & (causal | within(3))`, or use the block `transformer`
"""
    )


def test_independent_errors_of_a_node_come_in_one_run() -> None:
    node = _with(
        "relu}",
        "reluu}",
        _with("residual: pre", "residual: pree", _attention("sink: zeroo, haeds: 2")),
    )
    assert {found[0] for found in complaints(node)} == {"E202", "E205"}
    assert len(complaints(node)) == 4


GROWN = "{kind: rotary, layout: half, scaling: {kind: dynamic, factor: 2, original: 9}}"
NUMBERS = {
    _with("residual: pre", "residual: {kind: pre, drop_path: 0.5 * (layer + 1)}"): ("E244", "rate out of range: 1"),
    _with("residual: pre", "residual: {kind: pre, drop_path: n}"): (
        "E341",
        "a rate depends on `n`, which is only known at run time",
    ),
    _experts("groups: {count: 3, top: 1}"): ("E244", "4 experts cannot be split into 3 equal groups of at least 2"),
    _experts("groups: {count: 2, top: 3}"): ("E244", "`groups.top` is 3, but there are only 2 groups"),
    _experts("groups: {count: 2, top: 1}"): ("E244", "`top_k` is 3, and 1 groups hold 2 experts"),
    _with("relu}", "relu, clamp: {limit: 7}}"): (
        "E241",
        "`clamp` does not apply to a feed-forward layer that is not gated",
    ),
    _with("relu}", "relu, gated: true, clamp: {limit: 0}}"): ("E244", "`limit` must be above 0, got 0"),
    _with("relu}", "relu, gated: true, clamp: {offset: 1}}"): ("E203", "missing field `limit`"),
    _with("relu}", "relu, experts: {count: 2, top_k: 3, scores: softmax, normalise: true}}"): (
        "E244",
        "`top_k` is 3, but there are only 2 experts",
    ),
    _attention("positions: {kind: rotary, layout: half, size: 20}"): (
        "E340",
        "`size: 20` exceeds the 16 features of a head",
    ),
    _attention("positions: {kind: rotary, layout: half, size: 3}"): (
        "E348",
        "rotary features come in pairs, but `size` is 3",
    ),
    "{block: sinusoidal_embedding, input: x, dim: 5}": (
        "E348",
        "sines and cosines come in pairs: `dim` must be even, got 5",
    ),
    "{block: sinusoidal_embedding, input: ids, dim: 4}": (
        "E342",
        "sinusoidal_embedding takes floats with at least one axis, got int64[batch, n] < 100",
    ),
    "{block: sinusoidal_embedding, input: x, dim: 4, base: 0}": ("E244", "`base` must be above 0, got 0"),
    _attention("positions: rotary"): ("E203", "missing field `layout`"),
    _attention("positions: {kind: alibi, layout: half}"): ("E241", "`layout` does not apply to `alibi`"),
    _attention("positions: {kind: rotary, layout: half, ids: spot}"): (
        "E347",
        "`ids` is int64[batch] < 2, expected the axes [batch, n]",
    ),
    _attention("positions: {kind: rotary, layout: half, scaling: {kind: yarn, factor: 2, original: 9, fast: 1}}"): (
        "E244",
        "`fast` is 1, but `slow` is 1",
    ),
    _attention("positions: {kind: rotary, layout: half, scaling: {kind: llama3, factor: 2, low: 1, high: 4}}"): (
        "E203",
        "missing field `original`",
    ),
    _attention("positions: {kind: rotary, layout: half, scaling: {kind: dynamic, original: 9}}"): (
        "E203",
        "missing field `factor`",
    ),
    _attention("positions: {kind: rotary, layout: half, scaling: {kind: dynamic, factor: 1/2, original: 9}}"): (
        "E244",
        "`factor` must be at least 1, got 0.5",
    ),
    _attention("positions: {kind: rotary, layout: half, size: 2, scaling: {kind: dynamic, factor: 2, original: 9}}"): (
        "E244",
        "`dynamic` needs more than 2 rotary features",
    ),
    _with("encoder", "decoder", _with("mask: all", "mask: causal"))
    + edited(CROSS, ("mask: all", f"mask: all, positions: {GROWN}")): (
        "E241",
        "the scaling `dynamic` does not apply to `cross_attention`",
    ),
    _attention(
        "positions: {kind: rotary, layout: half, ids: places, scaling: {kind: dynamic, factor: 2, original: 9}}"
    ): ("E242", "`ids` and the scaling `dynamic` cannot be combined"),
    _attention(
        "positions: {kind: rotary, layout: half, "
        "scaling: {kind: longrope, short: [1, 2], long: [2, 2], original: 9, magnitude: 1}}"
    ): ("E244", "`short` has 2 factors, but there are 8 frequencies"),
    _attention(
        "positions: {kind: rotary, layout: half, size: 2, "
        "scaling: {kind: longrope, short: [1], long: [0], original: 9, magnitude: 1}}"
    ): ("E244", "`long` must be above 0, got 0"),
    _attention(
        "positions: {kind: rotary, layout: half, scaling: {kind: longrope, short: [1], long: [2], original: 9}}"
    ): (
        "E203",
        "missing field `magnitude`",
    ),
    _attention("positions: {kind: relative_buckets, buckets: 6, max_distance: 9, bidirectional: true, share: true}"): (
        "E244",
        "`buckets` is 6, expected a multiple of 4",
    ),
    _attention("positions: {kind: relative_buckets, buckets: 8, max_distance: 2, bidirectional: true, share: true}"): (
        "E244",
        "`max_distance` is 2, expected more than 2",
    ),
    _attention("positions: {kind: relative_grid, rows: 2, columns: 3, share: true}"): (
        "E345",
        "the grid has 2 by 3 patches, but there are `n` positions",
    ),
    _attention("positions: {kind: rotary_grid, grid: [2, 3], layout: half, coordinates: index}"): (
        "E345",
        "the grid has 2 by 3 patches, but there are `n` positions",
    ),
    _attention("positions: {kind: rotary_grid, grid: [n, 1], layout: half, coordinates: index, size: 6}"): (
        "E348",
        "rotary features of a grid come in fours, but `size` is 6",
    ),
    _attention("positions: {kind: rotary_grid, grid: [n, 1], layout: half, coordinates: index, size: 20}"): (
        "E340",
        "`size: 20` exceeds the 16 features of a head",
    ),
    _attention("positions: {kind: rotary_grid, grid: [n, 1], layout: half}"): (
        "E203",
        "missing field `coordinates`",
    ),
    _attention("positions: {kind: rotary, layout: half, grid: [n, 1]}"): (
        "E241",
        "`grid` does not apply to `rotary`",
    ),
    _with("encoder", "decoder", _with("mask: all", "mask: causal"))
    + edited(
        CROSS,
        ("mask: all", "mask: all, positions: {kind: rotary_grid, grid: [n, 1], layout: half, coordinates: index}"),
    ): ("E241", "`rotary_grid` does not apply to attention to another sequence"),
    _attention("positions: {kind: added, query: memory}"): (
        "E347",
        "`query` is float[batch, m, 48] but is added to float[batch, n, 64]",
    ),
    _attention("latent: {key_value: 8, rotary: 4}"): ("E242", "`latent` needs rotary `positions`"),
    _attention("latent: {key_value: 8, rotary: 16}, positions: {kind: rotary, layout: half}"): (
        "E340",
        "`rotary: 16` leaves no unrotated features: a head has 16",
    ),
    _attention("latent: {key_value: 8, rotary: 4}, kv_heads: 2, positions: {kind: rotary, layout: half}"): (
        "E241",
        "`kv_heads` does not apply to `latent` attention",
    ),
    _tokens("positions: {kind: learned, length: 32, count: sorts}"): (
        "E342",
        "`count` takes a bool value, got int64[batch, n] < 2",
    ),
    _patches("patch: 16, positions: {kind: learned, length: 7, resize: bicubic}"): (
        "E242",
        "`resize` and `length` cannot be combined",
    ),
    _attention("add_to_scores: sorts"): (
        "E342",
        "`add_to_scores` takes floats with at least one axis, got int64[batch, n] < 2",
    ),
}


@pytest.mark.parametrize("node", NUMBERS)
def test_numbers_and_values_of_options_that_do_not_fit(node: str) -> None:
    assert [found[:2] for found in complaints(node)] == [NUMBERS[node]]
