"""Published weights, where they were fetched: text, ids and logits that are known, and those of transformers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from archspec.bundle import build
from archspec.decoding import decoder, text_decoder
from archspec.interop import import_model
from archspec.spec import load
from tests.decoding.gguf_file import read
from tests.loading import load_tool

MODEL = "smollm2-135m-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPT = "The capital of France is"
THE_CAPITAL_OF_FRANCE_IS = (504, 3575, 282, 4649, 314)
PARIS = 7042
MADE = 20


def fetched() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ARCHSPEC_MODELS") or cache / "archspec" / "models") / MODEL


def tool() -> ModuleType:
    return load_tool("from_gguf")


def written_tokenizer(folder: Path) -> list[Path]:
    folder.mkdir()
    tool().write_tokenizer(fetched(), folder)
    return sorted(folder.iterdir())


def transformers_model(transformers: ModuleType, stored: Mapping[str, Tensor]) -> nn.Module:
    """Transformers' Llama with the tensors of the file: q and k with the rows of each head's halves together."""
    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    names |= {f"attn_{one}": f"self_attn.{one}_proj" for one in ("q", "k", "v")} | {"attn_output": "self_attn.o_proj"}
    names |= {f"ffn_{one}": f"mlp.{one}_proj" for one in ("gate", "up", "down")}
    state = {
        "model.embed_tokens.weight": stored["token_embd.weight"],
        "model.norm.weight": stored["output_norm.weight"],
    }
    for layer in range(30):
        for theirs, name in names.items():
            tensor = stored[f"blk.{layer}.{theirs}.weight"]
            if theirs in ("attn_q", "attn_k"):
                tensor = tensor.reshape(-1, 32, 2, 576).transpose(1, 2).reshape(tensor.shape)
            state[f"model.layers.{layer}.{name}.weight"] = tensor
    sizes = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "vocab_size": 49152}
    heads = {"num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True}
    more = {"rms_norm_eps": 1e-5, "eos_token_id": 2, "max_position_embeddings": 8192}
    rope = {"rope_type": "default", "rope_theta": 1e5}
    config = transformers.LlamaConfig(**sizes, **heads, **more, rope_parameters=rope)
    made = transformers.LlamaForCausalLM(config)
    lacking = made.load_state_dict(state, strict=False, assign=True)
    assert lacking.missing_keys == ["lm_head.weight"]
    assert lacking.unexpected_keys == []
    made.tie_weights()
    return made.eval()


@pytest.mark.slow
@pytest.mark.skipif(not fetched().is_file(), reason="tools/fetch_model.py smollm2-135m was not run")
def test_the_capital_of_france(tmp_path: Path) -> None:
    """From the GGUF to a spec, a bundle and text; the peer has the same numbers by names and an order of its own."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("gguf")
    stored = {name: torch.from_numpy(tensor) for name, tensor in read(fetched()).items()}
    given = torch.tensor([THE_CAPITAL_OF_FRANCE_IS])
    peer = transformers_model(transformers, stored)
    with torch.no_grad():
        expect = {"ids": given.numpy(), "logits": peer(given).logits.numpy()}
    (tmp_path / "imported.yaml").write_text(import_model(fetched()).text, encoding="utf-8")
    spec, files = load(tmp_path / "imported.yaml"), written_tokenizer(tmp_path / "files")
    bundle = build(spec, tmp_path / "smol", weights=fetched(), targets=(), files=files, expect=expect)
    assert bundle.manifest.weights.original is not None
    assert bundle.manifest.weights.original.largest < 1e-5
    made = text_decoder(bundle)
    steps = list(made.stream(PROMPT, max_new=MADE))
    assert made.encode(PROMPT) == [list(THE_CAPITAL_OF_FRANCE_IS)]
    assert steps[0].step.ids == (PARIS,)
    assert steps[0].texts == (" Paris",)
    assert float(steps[0].step.logits[0, PARIS]) == pytest.approx(17.37, abs=0.01)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "files")
    (row,) = peer.generate(given, max_new_tokens=MADE, min_new_tokens=MADE, do_sample=False).tolist()
    assert [id for step in steps for id in step.step.ids] == row[5:]
    assert "".join(step.texts[0] for step in steps) == tokenizer.decode(row[5:], skip_special_tokens=True)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not fetched().is_file(), reason="tools/fetch_model.py smollm2-135m was not run")
def test_the_same_ids_from_every_runtime(tmp_path: Path) -> None:
    """The module, the step in ONNX Runtime, and ONNX Runtime GenAI on its folder of the same bundle."""
    pytest.importorskip("gguf")
    runtime = pytest.importorskip("onnxruntime_genai")
    tool().write_tokenizer(fetched(), tmp_path)
    files, targets = sorted(tmp_path.iterdir()), ("onnx",)
    bundle = build("smollm2-135m", tmp_path / "smol", weights=fetched(), targets=targets, layout="genai", files=files)
    found = {}
    for artifact in ("onnx", "module"):
        (row,) = decoder(bundle, artifact=artifact).generate([list(THE_CAPITAL_OF_FRANCE_IS)], max_new=MADE)
        found[artifact] = list(row.ids)
    options = runtime.GeneratorParams(model := runtime.Model(str(bundle.path / "genai")))
    options.set_search_options(max_length=5 + MADE, min_length=5 + MADE)
    generator = runtime.Generator(model, options)
    generator.append_tokens(list(THE_CAPITAL_OF_FRANCE_IS))
    while not generator.is_done():
        generator.generate_next_token()
    found["genai"] = [int(id) for id in generator.get_sequence(0)[5:]]
    assert found["onnx"][0] == PARIS
    assert len(found["onnx"]) == MADE
    assert found["onnx"] == found["module"] == found["genai"]
