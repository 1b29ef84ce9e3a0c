"""Generators that are imported give the greedy ids of the `generate` of transformers, on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec import weights
from archspec.interop import import_model
from archspec.interop.huggingface.model_type import MODEL_TYPES
from tests.decoding.test_peers import PROMPTS, peer_ids
from tests.interop.originals import original, types
from tests.parity.models import fill

pytest.importorskip("transformers")

NEW = 8
GENERATORS = [word for word in types() if MODEL_TYPES[word].inputs == {"ids": "input_ids"}]
"""Types that read ids alone, and give the next one."""


@pytest.mark.parametrize("word", GENERATORS)
def test_greedy_ids_are_those_of_the_original(word: str, tmp_path: Path) -> None:
    kind = MODEL_TYPES[word]
    architecture = next(iter(kind.architectures))
    model = fill(original(kind, architecture, 0), 3, 0.4)
    model.save_pretrained(tmp_path)
    file = tmp_path / "spec.yaml"
    file.write_text(import_model(tmp_path).text)
    spec = archspec.load(file)
    assert spec.decode is not None
    module = archspec.compile(spec)
    module.load_state_dict(weights.load(spec, dict(model.state_dict())), strict=True)
    end = list(spec.decode.end) or None
    start = [] if spec.decode.start is None else [spec.decode.start]
    for row, prompt in zip(archspec.generate(spec, PROMPTS, max_new=NEW, module=module), PROMPTS, strict=True):
        assert list(row.ids) == peer_ids(model, [*start, *prompt], NEW, eos_token_id=end, pad_token_id=0)
