"""Settings of generation beside a configuration: their ids are taken and written, all others that count are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.huggingface.by_type import NoType, export_type
from archspec.interop.huggingface.exported import export_huggingface
from archspec.interop.huggingface.generation import GENERATION
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.spec import load
from archspec.spec.spec import Decode
from archspec.weights.load import load_from
from tests.interop.originals import configuration_class, original, small, write_configuration

transformers = pytest.importorskip("transformers")


def folder(tmp_path: Path, word: str, settings: dict[str, Any] | None, **more: Any) -> Path:
    """A small configuration of a generator, with settings of generation beside it."""
    kind = MODEL_TYPES[word]
    config = json.loads(configuration_class(kind)(**small(kind, 0)).to_json_string(use_diff=False))
    made = write_configuration(tmp_path, {**config, "architectures": [next(iter(kind.architectures))], **more})
    if settings is not None:
        (made / GENERATION).write_text(json.dumps(settings))
    return made


def decode(source: Path) -> Decode:
    found = import_model(source).spec.decode
    assert found is not None
    return found


def test_the_settings_say_what_ends_a_text(tmp_path: Path) -> None:
    assert decode(folder(tmp_path, "llama", None, eos_token_id=3)).end == (3,)
    assert decode(folder(tmp_path, "llama", {"eos_token_id": [5, 7]}, eos_token_id=3)).end == (5, 7)
    assert decode(folder(tmp_path, "llama", {"eos_token_id": None}, eos_token_id=3)).end == (3,)
    assert decode(folder(tmp_path, "llama", {"eos_token_id": 7}, eos_token_id=None)).end == (7,)


def test_the_settings_say_where_a_decoder_starts(tmp_path: Path) -> None:
    assert decode(folder(tmp_path, "t5", {"decoder_start_token_id": 4})).start == 4
    assert decode(folder(tmp_path, "gemma2", {"bos_token_id": 4}, bos_token_id=2)).start == 2
    assert decode(folder(tmp_path, "gemma2", {"bos_token_id": 4}, bos_token_id=None)).start == 4


def test_an_id_that_is_none_is_an_error_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        import_model(folder(tmp_path, "llama", {"eos_token_id": "end"}))
    (found,) = raised.value.diagnostics
    assert found.code == "E803"
    assert found.primary is not None
    assert found.primary.span.source.name.endswith(GENERATION)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("eos_token_id", 999, "`eos_token_id` is 999: the vocabulary has no such id"),
        ("eos_token_id", [998, 999], "the vocabulary has no such id"),
        ("num_beams", "x", '`num_beams` is "x": expected a number'),
        ("num_beams", 1.5, "expected a whole number"),
        ("num_beams", True, "expected a number"),
        ("do_sample", 1, "expected true or false"),
    ],
)
def test_settings_of_another_kind_are_errors(tmp_path: Path, name: str, value: object, reason: str) -> None:
    with pytest.raises(SpecError) as raised:
        import_model(folder(tmp_path, "llama", {name: value}))
    (found,) = raised.value.diagnostics
    assert found.code == "E803"
    assert reason in found.message
    assert found.primary is not None
    assert found.primary.span.source.name.endswith(GENERATION)


def test_code_of_the_folder_is_told_and_not_run(tmp_path: Path) -> None:
    notes = import_model(folder(tmp_path, "llama", None, auto_map={"AutoModel": "own.Model"})).notes
    assert notes == (
        "not run: the folder's own code, which `auto_map` names; the type `llama` of transformers was taken",
    )


def test_an_export_tells_what_a_spec_does_not_say(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    original(MODEL_TYPES["bert"], "BertForSequenceClassification", 0).save_pretrained(first)
    (tmp_path / "spec.yaml").write_text(import_model(first).text)
    spec = load(tmp_path / "spec.yaml")
    made = export_type(spec, load_from(spec, first).tensors, second)
    assert not isinstance(made, NoType)
    (note,) = made.notes
    assert "names of its classes" in note
    assert "`problem_type`" in note
    assert note.endswith("`--like FOLDER` takes them from its folder")


def test_what_changes_decoding_and_is_not_taken_is_told(tmp_path: Path) -> None:
    settings = {
        "eos_token_id": 2,
        "do_sample": True,
        "temperature": 0.6,
        "top_p": 1.0,
        "repetition_penalty": 1.1,
        "forced_bos_token_id": 9,
        "suppress_tokens": [1, 8],
        "something_new": 3,
        "use_cache": True,
        "num_beams": 1,
        "transformers_version": "5.0.0",
    }
    notes = import_model(folder(tmp_path, "llama", settings)).notes
    assert notes == (
        (
            "not taken: `do_sample` true, `temperature` 0.6, `repetition_penalty` 1.1; "
            "`archspec generate` takes options for them"
        ),
        "not taken: `suppress_tokens` [1, 8]; `decode: {ban: [ID, ...]}` bans single ids",
        "not taken: `forced_bos_token_id` 9, `something_new` 3; `archspec generate` has no such option",
    )


def test_settings_inside_a_configuration_are_told_where_no_others_are(tmp_path: Path) -> None:
    older = {"repetition_penalty": 1.2, "temperature": 0.5, "forced_eos_token_id": 2, "num_beams": 1}
    made = import_model(folder(tmp_path, "llama", None, **older))
    assert [note.partition(";")[0] for note in made.notes] == [
        "not taken: `repetition_penalty` 1.2",
        "not taken: `forced_eos_token_id` 2",
    ]
    assert import_model(folder(tmp_path, "llama", {"eos_token_id": 2}, **older)).notes == ()
    assert import_model(folder(tmp_path, "bert", None, **older)).notes == ()


def test_the_command_tells_it(tmp_path: Path) -> None:
    source = str(folder(tmp_path, "llama", {"no_repeat_ngram_size": 3}))
    done = CliRunner().invoke(cli, ["import", source, "-o", str(tmp_path / "spec.yaml")])
    assert "not taken: `no_repeat_ngram_size` 3; `archspec generate` has no such option" in done.output


@pytest.mark.parametrize(("word", "start"), [("gemma2", "bos_token_id"), ("t5", "decoder_start_token_id")])
def test_an_export_says_what_begins_and_ends_a_text(word: str, start: str, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    second.mkdir()
    third.mkdir()
    kind = MODEL_TYPES[word]
    original(kind, next(iter(kind.architectures)), 0).save_pretrained(first)
    (first / GENERATION).write_text(json.dumps({"temperature": 0.5, "do_sample": True, "eos_token_id": 5, start: 6}))
    text = import_model(first).text.replace("end: 5}", "end: [5, 7], ban: [3]}")
    (tmp_path / "spec.yaml").write_text(text)
    spec = load(tmp_path / "spec.yaml")
    assert spec.decode is not None
    assert spec.decode.end == (5, 7)
    tensors = load_from(spec, first).tensors
    export_huggingface(spec, tensors, second, first)
    assert not isinstance(export_type(spec, tensors, third), NoType)
    for made in (second, third):
        found = transformers.GenerationConfig.from_pretrained(made)
        assert found.eos_token_id == [5, 7]
        assert found.suppress_tokens == [3]
        assert getattr(found, start) == spec.decode.start
        assert decode(made).end == (5, 7)
    assert transformers.GenerationConfig.from_pretrained(second).temperature == 0.5


def test_settings_that_say_the_same_come_back_as_they_are(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    original(MODEL_TYPES["llama"], "LlamaForCausalLM", 0).save_pretrained(first)
    (tmp_path / "spec.yaml").write_text(import_model(first).text)
    spec = load(tmp_path / "spec.yaml")
    export_huggingface(spec, load_from(spec, first).tensors, second, first)
    assert (second / GENERATION).read_bytes() == (first / GENERATION).read_bytes()


def test_an_end_beyond_the_vocabulary_of_a_configuration_alone_is_told(tmp_path: Path) -> None:
    found = import_model(folder(tmp_path, "llama", None, eos_token_id=[998, 999]))
    assert found.spec.decode is not None
    assert found.spec.decode.end == ()
    assert "not taken: `eos_token_id` [998, 999], beyond the vocabulary; `decode` has no end" in found.notes
    assert import_model(folder(tmp_path, "llama", None, eos_token_id=[3, 999])).notes == ()
