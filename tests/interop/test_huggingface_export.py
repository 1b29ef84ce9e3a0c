"""A folder of transformers, imported and exported, has the same tensors and configuration, and computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import archspec
from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.interop.huggingface import by_type
from archspec.interop.huggingface.exported import export_huggingface
from archspec.interop.huggingface.imported import import_configuration
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.spec import load
from archspec.weights.load import load_from
from tests.interop.originals import original, types

transformers = pytest.importorskip("transformers")


def folders(word: str, tmp_path: Path) -> tuple[Path, Path, archspec.Spec]:
    """A small original in a folder, a folder for the export, and the spec of the original."""
    kind = MODEL_TYPES[word]
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    original(kind, next(iter(kind.architectures)), 0).save_pretrained(first)
    file = tmp_path / "spec.yaml"
    file.write_text(import_configuration(first).text)
    return first, second, load(file)


@pytest.mark.parametrize("word", types())
def test_a_folder_comes_back_whole(word: str, tmp_path: Path) -> None:
    first, second, spec = folders(word, tmp_path)
    made = export_huggingface(spec, load_from(spec, first).tensors, second, first)
    assert made.architecture == next(iter(MODEL_TYPES[word].architectures))
    assert (second / "config.json").read_bytes() == (first / "config.json").read_bytes()
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (second, first))
    skipped = set(load_from(spec, first).report.skipped)
    assert ours.keys() == theirs.keys() - skipped
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype
        assert torch.equal(tensor, theirs[name]), name
    before, after = (getattr(transformers, made.architecture).from_pretrained(one) for one in (first, second))
    known = before.state_dict()
    for name, tensor in after.state_dict().items():
        assert torch.equal(tensor, known[name]), name


def test_other_weights_are_what_transformers_then_computes_with(tmp_path: Path) -> None:
    first, second, spec = folders("bert", tmp_path)
    module = archspec.compile(spec).eval()
    export_huggingface(spec, {name: one.detach() for name, one in module.state_dict().items()}, second, first)
    opened = transformers.BertModel.from_pretrained(second).eval()
    ids = torch.arange(10).reshape(2, 5)
    with torch.no_grad():
        wanted, found = module(ids), opened(ids)
    torch.testing.assert_close(found.last_hidden_state, wanted.states, rtol=1e-5, atol=1e-5)


def test_a_folder_opens_in_the_dtype_of_its_weights(tmp_path: Path) -> None:
    first, second, spec = folders("bert", tmp_path)
    tensors = load_from(spec, first).tensors
    config = json.loads((first / "config.json").read_text())
    (first / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    export_huggingface(spec, tensors, second, first)
    opened = transformers.BertModel.from_pretrained(second)
    assert opened.dtype == torch.float32
    before = load_file(first / "model.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in opened.state_dict().items() if name in before)


def test_a_configuration_of_another_model_is_refused(tmp_path: Path) -> None:
    first, second, spec = folders("bert", tmp_path)
    tensors = load_from(spec, first).tensors
    config = json.loads((first / "config.json").read_text())
    (first / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    with pytest.raises(SpecError, match="E810") as raised:
        export_huggingface(spec, tensors, second, first)
    assert "relu" in str(raised.value)
    assert list(second.iterdir()) == []


def test_the_command_writes_a_folder_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, _ = folders("bert", tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    spec, bundle, out = (str(tmp_path / name) for name in ("spec.yaml", "bundle", "out"))
    files = ["--file", str(tmp_path / "tokenizer.json")]
    made = CliRunner().invoke(cli, ["build", spec, "--weights", str(first), "-o", bundle, *files])
    assert made.exit_code == 0, made.output
    command = ["export", bundle, "--to", "huggingface", "--like", str(first), "-o", out]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert done.output == f"wrote {out} (BertModel)\n"
    assert {path.name for path in Path(out).iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    again = CliRunner().invoke(cli, command)
    assert again.exit_code == 1
    assert isinstance(again.exception, SpecError)
    assert again.exception.diagnostics[0].code == "E704"

    known, coded = str(tmp_path / "known"), str(tmp_path / "coded")
    done = CliRunner().invoke(cli, ["export", bundle, "--to", "huggingface", "-o", known])
    assert done.exit_code == 0, done.output
    unsaid = "not as in an original: ids of tokens that it does not name (`pad_token_id` ...)"
    assert done.output == f"wrote {known} (BertModel)\n  {unsaid}; `--like FOLDER` takes them from its folder\n"
    assert {path.name for path in Path(known).iterdir()} == {path.name for path in Path(out).iterdir()}
    monkeypatch.setattr(by_type, "find_spec", lambda name: None)
    done = CliRunner().invoke(cli, ["export", bundle, "--to", "huggingface", "-o", coded])
    assert done.exit_code == 0, done.output
    assert done.output == (
        f"wrote {coded} (FirstModel, with its own code: trust_remote_code=True)\n"
        "  not a class of transformers: transformers, which knows the names of its tensors, is not installed\n"
    )
    assert (Path(coded) / "first.py").read_text() == (Path(bundle) / "model.py").read_text()
    code = {"configuration_first.py", "first.py", "modeling_first.py"}
    assert {path.name for path in Path(coded).iterdir()} == {path.name for path in Path(out).iterdir()} | code
