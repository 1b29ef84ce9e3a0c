"""The cached step of ONNX Runtime against that of ONNX Runtime GenAI's own export, and its cost against the length."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from decode import smollm2
from forward import reader, timed
from row import Row, spread

RUNS = 15
EARLY, LATE, SMALL, LARGE = 100, 4000, 128, 4096
SPEC = "smollm2-135m"


def step_rows() -> list[Row]:
    """SmolLM2's sizes with random weights, float32, batch 1, one id a step; every ratio is of alternating runs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = smollm2()
        weights = [one.detach() for one in model.parameters() if one.dim() == 2]
        steps = _ours(place, model)
        runs = {
            "small": _step(steps, SMALL, EARLY),
            "large": _step(steps, LARGE, EARLY),
            "late": _step(steps, LARGE, LATE),
            "genai": _peer(place / "genai", EARLY),
            "genai late": _peer(place / "genai", LATE),
            "read": reader(weights),
        }
        found = [{name: _settled(run) for name, run in runs.items()} for _ in range(RUNS)]
    return _rows({name: [one[name] for one in found] for name in runs})


def _settled(run: Callable[[], Any]) -> float:
    """Seconds of the second of two runs: threads of the session before still spin during the first."""
    run()
    return timed(run)


def _rows(took: dict[str, list[float]]) -> list[Row]:
    size = {name: median(times) for name, times in took.items()}
    of = "onnx step, SmolLM2 size"
    return [
        Row(
            what=f"{of}, position {EARLY}, capacity {LARGE:,} / ONNX Runtime GenAI's own export, time",
            value=size["large"] / size["genai"],
            unit="x",
            bound=1 / 0.95,
            detail=f"{1 / size['large']:.1f} and {1 / size['genai']:.1f} tokens a second; {spread(took['large'])}",
        ),
        Row(
            what=f"{of}, position {EARLY}: capacity {LARGE:,} / {SMALL}",
            value=size["large"] / size["small"],
            unit="x",
            bound=1.1,
            detail=f"{spread(took['large'])}, {spread(took['small'])}",
        ),
        Row(
            what=f"{of}: position {LATE:,} / {EARLY}",
            value=size["late"] / size["large"],
            unit="x",
            bound=1.5,
            detail=f"{spread(took['late'])}; GenAI's own {size['genai late'] / size['genai']:.2f}",
        ),
        Row(
            what=f"{of}: share of the read-bandwidth limit",
            # A limit is what is reached at best.
            value=100 * min(took["read"]) / min(took["large"]),
            unit="%",
            detail=f"all weights are read once in {spread(took['read'])}",
        ),
    ]


def _ours(folder: Path, model: Any) -> Any:
    """The opened step of the emitted module with the peer's weights; the peer's export stands in `genai`."""
    import onnxruntime
    import torch

    from archspec import weights
    from archspec.checking import accepted
    from archspec.engines.onnx_step import BoundStep
    from archspec.engines.steps import BuiltSteps
    from archspec.lower.step_programs import step_programs

    _export_peer(folder, model)
    checked = accepted(SPEC)
    programs = step_programs(checked)
    assert programs is not None
    export_step(folder, programs, weights.load(checked.spec, model.state_dict(), "huggingface"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(folder / "step.onnx", options, providers=["CPUExecutionProvider"])
    return BuiltSteps(programs=programs, dtype="float32", step=BoundStep(session, programs.updates), once=None)


def export_step(folder: Path, programs: Any, tensors: Mapping[str, Any]) -> Path:
    """Write a step with its tensors by name for ONNX Runtime; returns the file."""
    from safetensors.torch import save_file

    from archspec.engines.ort.export import export_ort
    from archspec.engines.program import Program

    (folder / "step.py").write_text(programs.step.text, encoding="utf-8")
    save_file({name: one.contiguous().clone() for name, one in tensors.items()}, folder / "w.safetensors")
    program = Program(
        source=folder / "step.py",
        module=programs.step.module,
        weights=folder / "w.safetensors",
        interface=programs.step.interface,
        partial=True,
    )
    export_ort(program, "float32", folder / "step.onnx")
    return folder / "step.onnx"


def _step(steps: Any, capacity: int, past: int) -> Callable[[], Any]:
    """A step of one id of a row that has had `past` positions."""
    import numpy as np

    ids, one, at = np.ones((1, 1), np.int64), np.ones(1, np.int64), np.array([past], np.int64)
    cache = steps.new_cache(1, capacity, {}, {})

    def run() -> Any:
        cache.past = at
        return steps.run({"ids": ids}, cache, one)

    return run


def _export_peer(folder: Path, model: Any) -> None:
    """Export the peer's model by GenAI's own builder, whose runtime wants the files of a tokenizer, too."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    source, made = folder / "source", folder / "genai"
    model.save_pretrained(source)
    tokenizer = Tokenizer(BPE({"<a>": 0, "<s>": 1, "</s>": 2}, []))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<a>")
    fast.save_pretrained(source)
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-p", "fp32", "-e", "cpu"]
    subprocess.run([*command, "-i", source, "-o", made, "-c", folder / "cache"], check=True, capture_output=True)
    config = json.loads((made / "genai_config.json").read_text(encoding="utf-8"))
    config["model"]["decoder"]["session_options"]["intra_op_num_threads"] = torch.get_num_threads()
    (made / "genai_config.json").write_text(json.dumps(config), encoding="utf-8")


def _peer(folder: Path, past: int) -> Callable[[], Any]:
    """A step of the peer after `past` ids, its choice of the next id included."""
    import numpy as np
    import onnxruntime_genai as genai

    model = genai.Model(str(folder))
    options = genai.GeneratorParams(model)
    options.set_search_options(max_length=past + 2 * RUNS + 8, min_length=past + 2 * RUNS + 8, do_sample=False)
    generator = genai.Generator(model, options)
    generator.append_tokens(np.ones(past, np.int32))
    return generator.generate_next_token
