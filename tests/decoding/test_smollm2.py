"""Published weights, where they were fetched: the next word is the one that is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import archspec
from archspec import weights
from archspec.decoding import decoder
from tests.decoding.gguf_file import read

MODEL = "smollm2-135m-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
THE_CAPITAL_OF_FRANCE_IS = [504, 3575, 282, 4649, 314]
PARIS = 7042


def fetched() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ARCHSPEC_MODELS") or cache / "archspec" / "models") / MODEL


@pytest.mark.slow
@pytest.mark.skipif(not fetched().is_file(), reason="tools/fetch_model.py smollm2-135m was not run")
def test_the_capital_of_france() -> None:
    spec = archspec.load("smollm2-135m")
    with torch.device("meta"):
        module = archspec.compile(spec)
    found = weights.load(spec, {name: torch.from_numpy(one) for name, one in read(fetched()).items()}, "gguf")
    module.load_state_dict(found, strict=True, assign=True)
    step = next(decoder(spec, module).stream([THE_CAPITAL_OF_FRANCE_IS], max_new=1))
    assert step.ids == (PARIS,)
    assert float(step.logits[0, PARIS]) == pytest.approx(17.37, abs=0.01)
