"""Reading configurations: every value has its place, and what is wrong is told there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.huggingface.json_text import JsonValue, read_json

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def check(read: JsonValue, wanted: object) -> None:
    """What was read is the value, and its span holds just this value."""
    assert read.value == wanted
    assert read.span is not None
    assert json.loads(read.span.text) == wanted
    if isinstance(wanted, dict):
        assert list(read.members) == list(wanted)
        for key, one in wanted.items():
            inner = read.members[key]
            assert inner.key is not None
            assert json.loads(inner.key.text) == key
            check(inner, one)


@given(st.dictionaries(st.text(), DATA, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_every_value_is_where_its_span_says(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object], indent: int | None, ascii: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / "config.json"
    file.write_text(json.dumps(data, indent=indent, ensure_ascii=ascii), encoding="utf-8", newline="")
    check(read_json(file), data)


def told(folder: Path, text: str, architecture: str | None = None) -> str:
    """The errors of a configuration, rendered."""
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        import_model(folder, architecture=architecture)
    return str(raised.value).replace(f"{folder}/", "")


T5 = '"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]'
LLAMA = '"model_type": "llama", "architectures": ["LlamaForCausalLM"]'


def test_all_errors_are_told_at_once_each_at_its_key(tmp_path: Path) -> None:
    text = f'{{{LLAMA},\n  "hidden_act": "mish",\n  "hiden_size": 3,\n  "num_hidden_layers": 0\n}}\n'
    assert (
        re.sub("supported: .*", "SUPPORTED", told(tmp_path, text))
        == """\
error[E803]: `hidden_act` is "mish": the language has no word for it
 --> config.json:2:3
  |
2 |   "hidden_act": "mish",
  |   ^^^^^^^^^^^^^^^^^^^^
  |
  = help: SUPPORTED

error[E802]: unknown key `hiden_size`
 --> config.json:3:3
  |
3 |   "hiden_size": 3,
  |   ^^^^^^^^^^^^
  |
  = note: a key that is not known may change what the model computes
  = help: did you mean `hidden_size`?

error[E803]: `num_hidden_layers` is 0: expected a whole number of at least 1
 --> config.json:4:3
  |
4 |   "num_hidden_layers": 0
  |   ^^^^^^^^^^^^^^^^^^^^^^
"""
    )


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "E805", "not JSON"),
        ("[]", "E805", "expected an object"),
        ("{", "E805", "not JSON"),
        ('{"model_type": "llama", "model_type": "bert"}', "E805", "duplicate key `model_type`"),
        ("{}", "E801", "no `model_type`"),
        ('{"model_type": "lama"}', "E801", "did you mean `llama`?"),
        ('{"model_type": 3}', "E801", "no model type `3` is known"),
        ('{"model_type": "llama"}', "E804", "`LlamaForCausalLM`, `LlamaModel`"),
        ('{"model_type": "llama", "architectures": ["LlamaForAnything"]}', "E804", "`LlamaForAnything`"),
        (f'{{{LLAMA}, "rope_scaling": {{"type": "linear"}}}}', "E803", "`factor` is missing"),
        (f'{{{LLAMA}, "rope_scaling": {{"type": "linear", "factor": 2, "x": 1}}}}', "E802", "unknown key `x`"),
        (f'{{{LLAMA}, "rope_scaling": {{"type": "spiral"}}}}', "E803", "no such scaling"),
        (f'{{{T5}, "dense_act_fn": "gelu"}}', "E803", 'expected the activation of `feed_forward_proj`, "relu"'),
        (f'{{{T5}, "tie_word_embeddings": false, "scale_decoder_outputs": true}}', "E803", "scaled states before"),
        (f'{{{T5}, "is_gated_act": true}}', "E803", "expected whether `feed_forward_proj` is gated, false"),
        (f'{{{LLAMA}, "hidden_size": 100, "num_attention_heads": 3}}', "E340", "does not divide 100"),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str, words: str, tmp_path: Path) -> None:
    rendered = told(tmp_path, text)
    assert f"error[{code}]" in rendered
    assert words in rendered


def test_an_unknown_class_that_is_asked_for(tmp_path: Path) -> None:
    assert "error[E804]: `LlamaForAnything` of model type `llama`" in told(
        tmp_path, f"{{{LLAMA}}}", architecture="LlamaForAnything"
    )


def test_expressions_of_the_base_stay_where_they_hold(tmp_path: Path) -> None:
    bert = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 24, "intermediate_size": 96}
    (tmp_path / "config.json").write_text(json.dumps(bert))
    assert "d_ff: 4*d_model" in import_model(tmp_path).text
    (tmp_path / "config.json").write_text(json.dumps({**bert, "intermediate_size": 95}))
    text = import_model(tmp_path).text
    assert "d_ff: 95" in text
    # The small copy has other widths, of which the hidden one is four times as large again.
    assert "d_ff: 4*d_model" in text.partition("reduced:")[2]


def test_the_older_words_for_rotary_positions(tmp_path: Path) -> None:
    new = {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500000.0}}
    old = {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 500000.0}
    texts = []
    for positions in (new, old):
        config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **positions}
        (tmp_path / "config.json").write_text(json.dumps(config))
        texts.append(import_model(tmp_path).text)
    assert texts[0] == texts[1]
    assert "scaling: {kind: linear, factor: 2}" in texts[0]


def test_a_number_of_too_many_digits_is_told(tmp_path: Path) -> None:
    text = f'{{{LLAMA}, "vocab_size": {"9" * 6000}}}'
    assert "a number has too many digits" in told(tmp_path, text)


def test_an_end_beyond_the_vocabulary_ends_nothing(tmp_path: Path) -> None:
    for ends, wanted in ((50, "none"), ([3, 50], "[3]"), (49, "49")):
        file = tmp_path / "config.json"
        file.write_text(f'{{{LLAMA}, "vocab_size": 50, "eos_token_id": {json.dumps(ends)}}}')
        assert f"end: {wanted}" in import_model(tmp_path).text


def test_architectures_are_a_list(tmp_path: Path) -> None:
    found = told(tmp_path, '{"model_type": "llama", "architectures": "LlamaForCausalLM"}')
    assert "E803" in found and "expected a list of names" in found
