"""A step on new positions gives what the full run gives, whatever the chunks, for each row alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from tests.decoding import specs
from tests.passes.stepping import Stepping, evenly, largest

DECODERS = [
    path.stem for path in sorted(shipped_specs_dir().glob("*.yaml")) if "\ndecode:" in path.read_text(encoding="utf-8")
]
ROWS, TOTAL = 3, 11
RAGGED = [(5, 1, 3), (1, 1, 1), (0, 4, 2), (2, 2, 2), (3, 0, 1)]
"""Rows of 11, 8 and 9 positions, in chunks of their own."""
SCHEDULES = {"1": evenly(ROWS, TOTAL, 1), "3": evenly(ROWS, TOTAL, 3), "all": [(TOTAL,) * ROWS], "ragged": RAGGED}


def stepping(spec: Spec) -> Stepping:
    assert spec.decode is not None
    return Stepping(spec.graph, spec.decode.input, spec.decode.output, rows=ROWS, total=TOTAL)


def check(run: Stepping) -> None:
    for schedule in SCHEDULES.values():
        assert largest(run, schedule) < 1e-10


@pytest.mark.parametrize("name", DECODERS)
def test_shipped_decoders(name: str) -> None:
    check(stepping(load(name, reduced=True)))


ROTARY = "positions: {{kind: rotary, layout: half{}}}"
BUCKETS = "positions: {{kind: relative_buckets, buckets: 8, max_distance: 9, bidirectional: {}, share: {}}}"
OPTIONS = {
    "grouped": "kv_heads: 1",
    "bias": "bias: [q, v]",
    "softcap": "softcap: 3",
    "scale": "scale: 0.2",
    "value-dim": "value_dim: 5",
    "qk-norm": "qk_norm: {norm: rms_norm, over: head}",
    "sink": "sink: learned",
    "zero-sink": "sink: zero",
    "interleaved": "positions: {kind: rotary, layout: interleaved, size: 4}",
    "linear": ROTARY.format(", scaling: {kind: linear, factor: 4}"),
    "llama3": ROTARY.format(", scaling: {kind: llama3, factor: 8, low: 1, high: 4, original: 8}"),
    "yarn": ROTARY.format(", scaling: {kind: yarn, factor: 4, original: 8}"),
    "alibi": "positions: alibi",
    "learned-slopes": "positions: {kind: alibi, slopes: learned}",
    "shared-buckets": BUCKETS.format("false", "true"),
    "buckets": BUCKETS.format("true", "false"),
    "latent": "head_dim: 12, latent: {query: 8, key_value: 6, rotary: 4}, positions: {kind: rotary, layout: half}",
    "latents": specs.LATENTS,
}
MASKS = {"causal": "causal", "window": "last(3)", "wide": "last(30)", "either": "last(2) | causal & within(4)"}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_attention(option: str, mask: str, tmp_path: Path) -> None:
    source = "" if "positions" in OPTIONS[option] else specs.LEARNED
    check(stepping(specs.decoder(tmp_path, source=source, attention=f", {OPTIONS[option]}", mask=MASKS[mask])))


VALID = 'valid: {type: "bool[batch, length]", default: true, padding: any}'
CONV = """
  turned: {{block: rearrange, input: source, pattern: b n d -> b d n}}
  mixed: {{block: conv, input: turned, channels: d_model, {}}}
  straight: {{block: rearrange, input: mixed, pattern: b d n -> b n d}}
  back: source + straight
"""
GROWN = {
    "key-valid": {"more": VALID, "mask": "causal & key_valid(valid)"},
    "window-valid": {"more": VALID, "mask": "last(3) & key_valid(valid)"},
    "query-valid": {"more": VALID, "mask": "causal & query_valid(valid)"},
    "both-valid": {"more": VALID, "mask": "causal & (key_valid(valid) | query_valid(valid))"},
    "segments": {"more": "parts: int64[batch, length] < 3", "mask": "causal & same_segment(parts)"},
    "window-segments": {"more": "parts: int64[batch, length] < 3", "mask": "last(3) & same_segment(parts)"},
    "places": {
        "more": "places: int64[batch, length] < context",
        "source": "",
        "attention": ", positions: {kind: rotary, layout: half, ids: places}",
    },
    "counted": {"more": VALID, "source": specs.COUNTED},
    "shift": {"nodes": "\n  back: {block: shift, input: source, axis: 1, by: 1, fill: 0}"},
    "shifts": {
        "nodes": "\n  one: {block: shift, input: source, axis: 1, by: 1, fill: 1}"
        "\n  two: {block: shift, input: one, axis: 1, by: 1, fill: 0}\n  back: source + two"
    },
    "conv": {"nodes": CONV.format("kernel: 3, dilation: 2, padding: causal, groups: 4, activation: silu")},
    "conv-norm": {"nodes": CONV.format("kernel: 4, padding: causal, norm: {kind: layer_norm, weight: true}")},
    "row": {"more": "given: float[batch, 1, d_model]", "nodes": "\n  back: source + given"},
}


@pytest.mark.parametrize("case", GROWN)
def test_other_inputs_that_grow(case: str, tmp_path: Path) -> None:
    check(stepping(specs.decoder(tmp_path, **GROWN[case])))


@pytest.mark.parametrize("mask", ["causal", "last(3)", "last(1)", "causal & last(1)"])
def test_what_fills_up_a_row_at_the_last_position_is_not_read(mask: str, tmp_path: Path) -> None:
    """Entries behind the capacity are at no position that a row has, not even at the last one."""
    run = stepping(specs.decoder(tmp_path, mask=mask))
    assert largest(run, [(10, 1, 8), (1, 4, 3), (0, 6, 0)]) < 1e-10


PREFIXES = {"fixed": "causal | prefix(4)", "window": "last(2) | prefix(4)"}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_that_the_first_chunk_covers(prefix: str, tmp_path: Path) -> None:
    run = stepping(specs.decoder(tmp_path, mask=PREFIXES[prefix]))
    assert run.found.has_prefix
    for schedule in ([(4, 5, 7), (1, 1, 1), (3, 2, 0)], [(6, 4, 4), (5, 1, 2)], [(TOTAL,) * ROWS]):
        assert largest(run, schedule) < 1e-10
    # Rows that end inside the prefix do not see the entries that an earlier row left behind them.
    assert largest(run, [(2, 3, 1)]) < 1e-10
    assert largest(run, [(2, 3, 1), (2, 3, 1)]) > 1e-3


def test_the_shipped_prefix_decoder() -> None:
    run = Stepping(load("prefix-lm-base", reduced=True).graph, "ids", "logits", rows=ROWS, total=TOTAL)
    run.inputs["given"] = np.array([3, 5, 1])
    assert largest(run, [(5, 5, 2), (1, 1, 1), (3, 2, 4)]) < 1e-10


def test_buffers_larger_than_a_sequence(tmp_path: Path) -> None:
    run = stepping(specs.decoder(tmp_path, attention=", positions: alibi"))
    assert largest(run, RAGGED, capacity=24) < 1e-10


def test_the_state_of_repeated_layers_is_stacked(tmp_path: Path) -> None:
    found = stepping(specs.decoder(tmp_path, mask="last(3)")).found
    assert [(one.path, one.kind, str(one.type), one.layers, one.axis) for one in found.state] == [
        ("states.layers.*.attention.k", "last", "float[2, batch, 2, 2, 8]", 1, 3),
        ("states.layers.*.attention.v", "last", "float[2, batch, 2, 2, 8]", 1, 3),
    ]
    assert found.step.output_names == ("logits", "states_layers_attention_k_next", "states_layers_attention_v_next")


POOL = "{block: pool, input: source, kind: mean}"
ROW = "{block: rearrange, input: whole, pattern: 'batch features -> batch 1 features'}"
SCALED = ", positions: {{kind: rotary, layout: half, scaling: {{kind: {}}}}}"
DECIDED = {
    "dynamic that does not reach its length": "dynamic, factor: 2, original: 24",
    "longrope within its length": "longrope, short: [1, 1, 2, 2], long: [2, 2, 4, 4], original: 24, magnitude: 1.5",
    "longrope beyond its length": "longrope, short: [1, 1, 2, 2], long: [2, 2, 4, 4], original: 1, magnitude: 1.5",
}


@pytest.mark.parametrize("case", DECIDED)
def test_scalings_that_all_lengths_decide_alike(case: str, tmp_path: Path) -> None:
    length = "[2, 6, context]" if case == "longrope beyond its length" else "[1, 6, context]"
    options = {"source": "", "attention": SCALED.format(DECIDED[case]), "length": length}
    check(stepping(specs.decoder(tmp_path, **options)))


BARRED = {
    "all": ({"block": "encoder", "mask": "all"}, "later positions of operand 1 of `attention`"),
    "within": ({"block": "encoder", "mask": "within(2)"}, "later positions of operand 1 of `attention`"),
    "scale": ({"attention": ", scale: 1/length"}, "`scale` of `attention` is computed from `length`"),
    "dynamic": (
        {"source": "", "attention": SCALED.format("dynamic, factor: 2, original: 23")},
        "`scaling` of `rotary_table` is computed from `length`",
    ),
    "longrope": (
        {
            "source": "",
            "attention": SCALED.format("longrope, short: [1, 1, 2, 2], long: [2, 2, 4, 4], original: 23, magnitude: 1"),
        },
        "`scaling` of `rotary_table` is computed from `length`",
    ),
    "number": ({"nodes": "\n  back: source / length"}, "`number` of `with_number` is computed from `length`"),
    "ahead": (
        {"nodes": "\n  back: {block: shift, input: source, axis: 1, by: -1, fill: 0}"},
        "later positions of operand 0 of `shift`",
    ),
    "conv": (
        {"nodes": CONV.format("kernel: 3, padding: 1")},
        "later positions of operand 0 of `convolution`",
    ),
    "pool": (
        {"nodes": f"\n  whole: {POOL}\n  row: {ROW}\n  back: source + row"},
        "the result has no positions",
    ),
}


@pytest.mark.parametrize("case", BARRED)
def test_what_has_no_step_is_refused_with_its_node(case: str, tmp_path: Path) -> None:
    options, message = BARRED[case]
    spec = specs.decoder(tmp_path, **options)
    with pytest.raises(SpecError) as caught:
        stepping(spec)
    (found,) = caught.value.diagnostics
    assert found.code == "E748"
    assert message in found.message
    assert found.primary is not None


def kept(spec: Spec) -> dict[str, str]:
    """The types of what is kept, by the name at the end of its path."""
    return {one.path.rpartition(".")[2]: str(one.type) for one in stepping(spec).found.state}


def test_heads_are_kept_before_they_are_repeated(tmp_path: Path) -> None:
    latent = specs.decoder(tmp_path, source="", attention=f", {OPTIONS['latent']}")
    # The rotated key is one for both heads; beside it, eight features of each head's key are kept, not twelve.
    assert kept(latent) == {
        "k": "float[2, batch, 1, length, 4]",
        "slice": "float[2, batch, 2, length, 8]",
        "v": "float[2, batch, 2, length, 12]",
    }


def test_what_keys_and_values_share_is_kept_once(tmp_path: Path) -> None:
    own = "\n  back: {block: attend, query: source, key: source, value: source, mask: causal, heads: 2}"
    types = list(kept(specs.decoder(tmp_path, nodes=own)).values())
    assert types.count("float[batch, length, 16]") == 1
    assert len(types) == 3
    check(stepping(specs.decoder(tmp_path, nodes=own)))
