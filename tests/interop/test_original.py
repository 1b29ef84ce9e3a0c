"""Folders of Hugging Face as originals: how they are opened, bound and compared."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from archspec.contract.fill import fill
from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.huggingface.bindings import Named
from archspec.interop.huggingface.double import in_float64
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.interop.huggingface.original import hold_to_original, open_original
from archspec.spec.claims import Claims, claims_of, load_claims
from tests.editing import edited
from tests.interop.originals import original
from tests.interop.wrong_maps import ORIGINALS, SPECS, transformers

BERT = ORIGINALS["bert"]
ARCHITECTURES = [(word, name) for word, kind in MODEL_TYPES.items() for name in kind.architectures]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that has a head and no pooler."""
    folder = tmp_path_factory.mktemp("bert")
    config = BERT.config.to_dict()
    saved(transformers.BertForMaskedLM(transformers.BertConfig(**config)), folder)
    return folder


def saved(model: nn.Module, folder: Path) -> None:
    made: Any = fill(model, 0)
    made.save_pretrained(folder)


def states_alone(folder: Path) -> Claims:
    """BERT without its pooler, whose states alone are compared."""
    text = (SPECS / "bert-base.yaml").read_text(encoding="utf-8")
    text = edited(
        text,
        ("  pooled:\n    - {block: pool, input: states, kind: first}\n", ""),
        ("    - {block: linear, dim: d_model, activation: tanh}\n", ""),
        ("  pooled: float[batch, d_model]\n", ""),
        ("  - ignores: {output: pooled, input: ids, where: not valid}\n", ""),
        ("  - sees: {output: pooled, input: ids}\n", ""),
        ("      pooled.1: pooler.dense\n", ""),
    )
    (folder / "states.yaml").write_text(text, encoding="utf-8")
    return load_claims(folder / "states.yaml", set=BERT.sizes)


def code_of(raised: pytest.ExceptionInfo[SpecError]) -> str:
    return raised.value.diagnostics[0].code


def test_the_body_of_a_model_with_a_head_is_opened_for_states(bert: Path, tmp_path: Path) -> None:
    found = hold_to_original(states_alone(tmp_path), bert)
    assert found.status == "holds"
    # Three sizes, whole and padded on the right.
    assert found.trials == 6
    assert "in float64 up to" in found.detail and "rules exclude" in found.detail


def test_weights_that_only_long_inputs_read_are_compared(bert: Path, tmp_path: Path) -> None:
    tensors = load_file(bert / "model.safetensors")
    name = "bert.embeddings.position_embeddings.weight"
    length = tensors[name].shape[0]
    for rows in (slice(length - 1, length), slice(length // 2, None)):
        lost = tensors[name].clone()
        lost[rows] = 0
        save_file({**tensors, name: lost}, tmp_path / "model.safetensors", {"format": "pt"})
        found = hold_to_original(states_alone(tmp_path), bert, weights=tmp_path / "model.safetensors")
        assert found.status == "violated"
        assert f"length={length}" in found.detail


def test_an_output_of_one_value_ties_nothing(tmp_path: Path) -> None:
    config = transformers.LlamaConfig(
        vocab_size=60,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16,
        bos_token_id=0,
    )
    model = fill(transformers.LlamaForCausalLM(config), 0)
    nn.init.zeros_(model.lm_head.weight)
    model.save_pretrained(tmp_path)
    found = hold_to_original(claims_of(import_model(tmp_path).spec), tmp_path)
    assert (found.status, found.detail) == ("not measured", "`logits` has one value everywhere, which tells nothing")


def test_an_output_that_reads_what_the_folder_lacks_is_equal_to_nothing(bert: Path, tmp_path: Path) -> None:
    claims = load_claims("bert-base", set=BERT.sizes)
    original = open_original(bert, claims)
    assert original.missing == ("pooler.dense.bias", "pooler.dense.weight")
    (first, *_) = original.recorded(claims)
    assert np.isnan(first.outputs["pooled"]).all()
    assert np.isfinite(first.outputs["states"]).all()


def test_names_are_bound_as_given(bert: Path, tmp_path: Path) -> None:
    claims = states_alone(tmp_path)
    for named in (Named(arguments={"valid": "mask"}), Named(arguments={"ids": "attention_mask"})):
        with pytest.raises(SpecError) as raised:
            open_original(bert, claims, named)
        assert code_of(raised) == "E734"
    with pytest.raises(SpecError) as raised:
        open_original(bert, claims, Named(results={"states": "hidden"}))
    assert code_of(raised) == "E730"
    # A tuple's first entry is the states.
    assert hold_to_original(claims, bert, named=Named(results={"states": 0})).status == "holds"


def test_code_of_a_folder_never_runs(bert: Path, tmp_path: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    for name in ("model.safetensors",):
        os.link(bert / name, tmp_path / name)
    (tmp_path / "made.py").write_text("raise SystemExit('this ran')\n")
    own = {"auto_map": {"AutoConfig": "made.Config", "AutoModel": "made.Model"}, "model_type": "made"}
    (tmp_path / "config.json").write_text(json.dumps({**config, **own}))
    with pytest.raises(SpecError) as raised:
        open_original(tmp_path, load_claims("bert-base", set=BERT.sizes))
    assert code_of(raised) == "E642"


def test_a_tensor_of_another_size_than_the_configuration_says_is_named(bert: Path, tmp_path: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    rows = config["vocab_size"]
    os.link(bert / "model.safetensors", tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": rows - 1}))
    with pytest.raises(SpecError) as raised:
        open_original(tmp_path, load_claims("bert-base", set=BERT.sizes))
    assert code_of(raised) == "E642"
    message = raised.value.diagnostics[0].message
    assert f"word_embeddings.weight` is [{rows}, " in message and f"config.json says [{rows - 1}, " in message


def test_tensors_come_from_safetensors_alone(tmp_path: Path) -> None:
    model = BERT.make(BERT.config)
    BERT.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(SpecError) as raised:
        open_original(tmp_path, load_claims("bert-base", set=BERT.sizes))
    assert code_of(raised) == "E522"


def test_without_transformers_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archspec.interop.huggingface.original.find_spec", lambda name: None)
    with pytest.raises(SpecError) as raised:
        open_original(tmp_path, load_claims("bert-base", set=BERT.sizes))
    (found,) = raised.value.diagnostics
    assert found.code == "E604" and found.help is not None and "pip install transformers" in found.help


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        open_original(tmp_path, load_claims("bert-base", set=BERT.sizes))
    assert code_of(raised) == "E642"


@pytest.mark.parametrize(("word", "architecture"), ARCHITECTURES)
def test_every_model_type_equals_its_original_in_float64(word: str, architecture: str, tmp_path: Path) -> None:
    made: Any = original(MODEL_TYPES[word], architecture, 0)
    made.save_pretrained(tmp_path)
    spec = import_model(tmp_path, architecture=architecture).spec
    found = hold_to_original(claims_of(spec), tmp_path)
    assert found.status == "holds", found.detail
    assert "in float64 up to" in found.detail


def test_float32_in_code_is_float64() -> None:
    with in_float64():
        half = torch.arange(3, dtype=torch.float32)
        assert half.dtype == torch.float64
        assert half.to(torch.float32).dtype == half.float().dtype == torch.float64
        assert torch.softmax(half, 0, dtype=torch.float32).dtype == torch.float64
        assert torch.ones(2).dtype == torch.float64
    assert torch.ones(2).dtype == torch.float32


def test_the_original_of_a_folder_in_bfloat16_computes_in_float32_throughout(tmp_path: Path) -> None:
    """What its constructor computes, such as the scale of Gemma's tokens, would else be rounded to bfloat16."""
    kind = MODEL_TYPES["gemma3_text"]
    # The root of 40 is none of bfloat16.
    config = transformers.Gemma3TextConfig(**{**kind.small[0], "hidden_size": 40, "num_hidden_layers": 2})
    saved(transformers.Gemma3ForCausalLM(config).bfloat16(), tmp_path)
    found = hold_to_original(claims_of(import_model(tmp_path).spec), tmp_path)
    assert found.status == "holds", found.detail
