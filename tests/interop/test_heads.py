"""Classes of encoders with a head: as many scores as labels, and the body alone out of the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.huggingface.model_type import MODEL_TYPES, ModelType
from tests.interop.originals import configuration_class, hold, original, small, types, write_configuration
from tests.parity.models import TOLERANCE, fill

transformers = pytest.importorskip("transformers")

CLASSIFIERS = [
    (word, name)
    for word in types()
    for name in MODEL_TYPES[word].architectures
    if name.endswith(("ForSequenceClassification", "ForTokenClassification"))
]
ANSWERING = [
    (word, name)
    for word in types()
    for name in MODEL_TYPES[word].architectures
    if name.endswith("ForQuestionAnswering")
]
BODIES = {
    "bert": "BertModel",
    "distilbert": "DistilBertModel",
    "albert": "AlbertModel",
    "electra": "ElectraModel",
    "modernbert": "ModernBertModel",
    "llama": "LlamaModel",
}
"""Types whose classifiers have all parameters of the body."""


def classifier(kind: ModelType, name: str, **more: Any) -> Any:
    """A small classifier of transformers, every parameter at random."""
    config = configuration_class(kind)(**{**small(kind, 0), **more})
    return fill(getattr(transformers, name)._from_config(config, attn_implementation="eager").eval(), 5)


@pytest.mark.parametrize(("word", "name"), CLASSIFIERS)
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"num_labels": 1, "problem_type": "regression"}, marks=pytest.mark.slow, id="regression"),
        pytest.param({"num_labels": 5, "problem_type": "multi_label_classification"}, id="several of five"),
    ],
)
def test_a_classifier_has_a_score_for_each_label(word: str, name: str, more: dict[str, Any], tmp_path: Path) -> None:
    kind = MODEL_TYPES[word]
    model = classifier(kind, name, **more)
    model.save_pretrained(tmp_path)
    hold(tmp_path, kind, name, model)


@pytest.mark.parametrize(("word", "name"), ANSWERING)
def test_an_answer_has_two_ends(word: str, name: str, tmp_path: Path) -> None:
    config = configuration_class(MODEL_TYPES[word])(**small(MODEL_TYPES[word], 0), num_labels=3)
    values = {**config.to_diff_dict(), "architectures": [name]}
    with pytest.raises(SpecError, match="expected 2 labels, where an answer begins and where it ends, found 3"):
        import_model(write_configuration(tmp_path, values))


def test_a_cross_encoder_is_imported_with_the_keys_that_its_library_adds(tmp_path: Path) -> None:
    values = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    own = {
        "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"},
        "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
    }
    text = import_model(write_configuration(tmp_path, values)).text
    assert "classes: 1}" in text
    assert import_model(write_configuration(tmp_path, {**values, **own})).text == text


@pytest.mark.parametrize("word", BODIES)
def test_the_body_alone_is_read_out_of_the_files_of_a_classifier(word: str, tmp_path: Path) -> None:
    kind, name = MODEL_TYPES[word], BODIES[word]
    whole = original(kind, name.replace("Model", "ForSequenceClassification"), 0)
    whole.save_pretrained(tmp_path)
    (tmp_path / "body.yaml").write_text(import_model(tmp_path, architecture=name).text)
    checked = archspec.check(tmp_path / "body.yaml").accept()
    module = archspec.compile(checked).eval()
    archspec.load_weights(module, checked, tmp_path)
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        ours = module(ids=ids)
        theirs: Any = whole.base_model(input_ids=ids)
    states = ours[0] if isinstance(ours, tuple) else ours
    torch.testing.assert_close(states, theirs.last_hidden_state, **TOLERANCE)


@pytest.mark.parametrize("side", ["behind", "in front", "none"])
@pytest.mark.parametrize("word", ["gpt2", "llama"])
def test_a_decoder_scores_the_text_at_its_last_token(word: str, side: str, tmp_path: Path) -> None:
    """Padding is told by its id alone, wherever it stands; without such an id the last position is read."""
    kind = MODEL_TYPES[word]
    name = list(kind.architectures)[-1]
    model = classifier(kind, name, num_labels=5, pad_token_id=None if side == "none" else 7)
    model.save_pretrained(tmp_path)
    (tmp_path / "spec.yaml").write_text(import_model(tmp_path).text)
    checked = archspec.check(tmp_path / "spec.yaml").accept()
    module = archspec.compile(checked).eval()
    archspec.load_weights(module, checked, tmp_path)
    ids = torch.arange(10, 18)[None].repeat(1 if side == "none" else 2, 1)
    ids[-1, slice(5, None) if side == "behind" else slice(3)] = 7
    with torch.no_grad():
        ours, theirs = module(ids=ids), model(input_ids=ids).logits
    torch.testing.assert_close(ours, theirs, **TOLERANCE)
