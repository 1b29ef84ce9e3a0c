"""Rules of whole architectures, whose answers are known from how they are built."""

from __future__ import annotations

from importlib import import_module

import pytest

from archspec.rules.judge import judge
from tests.parity.options import draft

pytest.importorskip("transformers")
texts = {**vars(import_module("tests.parity.test_sequences")), **vars(import_module("tests.parity.test_stacks"))}
CAUSAL = "causal: {output: states, input: tgt_ids}"

KNOWN = {
    ("WHISPER", "causal: {output: logits, input: ids}"): "proved",
    ("WHISPER", "window: {output: memory, input: heard, back: 0, ahead: 0}"): "violated",
    ("WHISPER", "window: {output: memory, input: heard, back: 3, ahead: 3}"): "violated",
    ("WHISPER", "sees: {output: logits, input: sound}"): "wired",
    ("BART", "ignores: {output: states, input: src_ids, where: not valid}"): "proved",
    ("BART", CAUSAL): "proved",
    ("BART", "causal: {output: memory, input: src_ids}"): "violated",
    ("DETR", "ignores: {output: states, input: features, where: not valid}"): "proved",
    ("DETR", "ignores: {output: states, input: places, where: not valid}"): "proved",
    ("DETR", "sees: {output: states, input: queries}"): "wired",
    # The first token itself may be padding: nothing promises that it is not.
    ("ALBERT", "ignores: {output: pooled, input: ids, where: not valid}"): "violated",
    ("ALBERT", "ignores: {output: states, input: ids, where: not valid}"): "proved",
    ("CLIP", "causal: {output: read, input: ids}"): "proved",
    ("PERCEIVER", "ignores: {output: states, input: x, where: not valid}"): "proved",
    ("PERCEIVER", "sees: {output: states, input: x}"): "wired",
}


@pytest.mark.parametrize(("name", "rule"), KNOWN)
def test_verdicts_of_whole_architectures(name: str, rule: str) -> None:
    text = texts[name].replace("weights:\n", f"rules:\n  - {rule}\nweights:\n", 1)
    verdict, *independent = judge(draft(text))
    assert verdict.status == KNOWN[name, rule]
    assert [one.status for one in independent] == ["proved"] * len(independent) != []
