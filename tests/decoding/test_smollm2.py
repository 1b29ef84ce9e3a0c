"""Published weights, where they were fetched: text, ids and logits that are known, and those of transformers."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from archspec import weights
from archspec.bundle import build
from archspec.decoding import text_decoder
from archspec.spec import load
from tests.decoding.gguf_file import read

MODEL = "smollm2-135m-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPT = "The capital of France is"
THE_CAPITAL_OF_FRANCE_IS = (504, 3575, 282, 4649, 314)
PARIS = 7042
MADE = 20


def fetched() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ARCHSPEC_MODELS") or cache / "archspec" / "models") / MODEL


def tool() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "tools" / "from_gguf.py"
    spec = importlib.util.spec_from_file_location("from_gguf", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["from_gguf"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(not fetched().is_file(), reason="tools/fetch_model.py smollm2-135m was not run")
def test_the_capital_of_france(tmp_path: Path) -> None:
    """One way through all of it: the GGUF, its weights in two layouts, a bundle, text, and transformers."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("gguf")
    folder = tmp_path / "model"
    tool().convert(fetched(), folder, "float32")
    spec = load("smollm2-135m")
    ours = weights.load(spec, folder, "huggingface")
    # Another reader of the file, and the layout of its own names.
    theirs = weights.load(spec, {name: torch.from_numpy(one) for name, one in read(fetched()).items()}, "gguf")
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0)
    files = [folder / "tokenizer.json", folder / "tokenizer_config.json"]
    made = text_decoder(build(spec, tmp_path / "smol", weights=ours, targets=(), files=files))
    steps = list(made.stream(PROMPT, max_new=MADE))
    assert made.encode(PROMPT) == [list(THE_CAPITAL_OF_FRANCE_IS)]
    assert steps[0].step.ids == (PARIS,)
    assert steps[0].texts == (" Paris",)
    assert float(steps[0].step.logits[0, PARIS]) == pytest.approx(17.37, abs=0.01)
    peer = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = torch.tensor([THE_CAPITAL_OF_FRANCE_IS])
    (row,) = peer.generate(given, max_new_tokens=MADE, min_new_tokens=MADE, do_sample=False).tolist()
    assert [id for step in steps for id in step.step.ids] == row[5:]
    assert "".join(step.texts[0] for step in steps) == tokenizer.decode(row[5:], skip_special_tokens=True)
