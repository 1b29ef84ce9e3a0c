"""A spec that is a model type is written as transformers' own class: nothing is drawn, nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.interop.huggingface import by_type
from archspec.interop.huggingface.by_type import NoType, export_type
from archspec.interop.huggingface.imported import import_configuration
from archspec.interop.huggingface.keys import ACTIVATIONS, InertKey
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.spec import load
from archspec.weights.load import load_from
from tests.interop.originals import original

transformers = pytest.importorskip("transformers")

BACKWARDS = (
    *(
        "albert",
        "bert",
        "bloom",
        "deit",
        "camembert",
        "distilbert",
        "electra",
        "gemma2",
        "gemma3_text",
        "gpt2",
        "gpt_neox",
    ),
    *("gpt_oss", "llama", "mistral", "mixtral", "mpnet", "mt5", "olmo2", "opt", "phi3", "qwen2", "qwen3"),
    *("qwen3_moe", "roberta", "smollm3", "t5", "vit", "xlm_roberta"),
)
"""Types whose small configuration is read off its spec again."""
SAID_BY_OTHERS = frozenset({"max_window_layers"})
"""Keys that are not read where `layer_types` lists every layer, as an exported configuration does."""
CLASSES = [
    pytest.param(word, name, marks=() if number == 0 else pytest.mark.slow)
    for word in BACKWARDS
    for number, name in enumerate(MODEL_TYPES[word].architectures)
    if name not in ("MT5EncoderModel", "T5EncoderModel")
]


@pytest.mark.parametrize(("word", "architecture"), CLASSES)
def test_the_class_takes_every_tensor_and_draws_none(word: str, architecture: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    model: Any = original(MODEL_TYPES[word], architecture, 0)
    model.save_pretrained(first)
    (tmp_path / "spec.yaml").write_text(import_configuration(first).text)
    spec = load(tmp_path / "spec.yaml")
    made = export_type(spec, load_from(spec, first).tensors, second)
    assert not isinstance(made, NoType), made
    assert (made.architecture, made.model_type) == (architecture, word)
    found, told = getattr(transformers, architecture).from_pretrained(second, output_loading_info=True)
    assert not any(told.values()), told
    wanted = model.state_dict()
    assert found.state_dict().keys() == wanted.keys()
    for name, tensor in found.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
    kind = MODEL_TYPES[word]
    keys = kind.table(kind.architectures[architecture]).keys
    before, after = (one.config.to_dict() for one in (model, found))
    changed = {name for name in keys if not is_same(before.get(name), after.get(name))}
    assert changed <= {*SAID_BY_OTHERS, *(name for name, key in keys.items() if isinstance(key, InertKey))}


def is_same(before: object, after: object) -> bool:
    """Whether two values say the same: null may be written out, and functions have several names."""
    if before is None or before == after:
        return True
    return str(before) in ACTIVATIONS and ACTIVATIONS[str(before)] == ACTIVATIONS.get(str(after))


def refused(source: str, folder: Path, changes: tuple[str, ...] = ()) -> str:
    """Why a reduced shipped spec is not written; the folder stays empty."""
    spec = load(source, set=changes, reduced=True)
    weights = {name: one.detach() for name, one in archspec.compile(spec, unproved=True).state_dict().items()}
    made = export_type(spec, weights, folder)
    assert isinstance(made, NoType)
    assert not list(folder.iterdir())
    return made.reason


@pytest.mark.parametrize(
    ("source", "changes"), [("gated-attention", ()), ("bert-base", ("defaults.norm=rms_norm",))], ids=["none", "near"]
)
def test_what_no_configuration_says_is_refused(source: str, changes: tuple[str, ...], tmp_path: Path) -> None:
    assert "no model type" in refused(source, tmp_path, changes)


def test_a_class_with_a_tensor_that_the_spec_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = by_type._shapes
    monkeypatch.setattr(by_type, "_shapes", lambda *given: {**shapes(*given), "embeddings.position_ids": (1, 24)})
    reason = "BertModel does not take its tensors: the spec has no `embeddings.position_ids`"
    assert refused("bert-base", tmp_path) == reason
