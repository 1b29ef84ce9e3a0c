"""SmolLM2 with quantised weights against ONNX Runtime GenAI's own of the same format: speed, and loss on one text."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any

from forward import timed
from row import Row, spread
from steps import SPEC, export_step

PROCESSES, RUNS, TOKENS = 4, 10, 8
PAST, CAPACITY = 100, 1024
_LAYER = "states.layers.*"
# One format for q, k and v, so that one product gives all three.
MIXED = ("int4:32", f"{_LAYER}.feed_forward.down=int8", *(f"{_LAYER}.attention.{one}=int8" for one in "qkv"))
FORMATS: Mapping[str, tuple[str, ...]] = {"int8:32": ("int8:32",), "int8": ("int8",), "int4 mixed": MIXED}
PEERS: Mapping[str, tuple[str, ...]] = {
    "int8": ("-p", "int8"),
    "k_quant_mixed": ("-p", "int4", "--extra_options", "algo_config=k_quant_mixed"),
}
RIVALS = {"int8:32": "int8", "int8": "int8", "int4 mixed": "k_quant_mixed"}
LOSSES = {"int8:32": 0.005, "int4 mixed": 0.19}
RATE = 1 / 0.9


def quantised_rows() -> list[Row]:
    """SmolLM2's own weights, batch 1, one id a step; every ratio is of alternating runs of some steps each.

    What is opened later in a process is up to a seventh faster, and what runs after the threads of another runtime is
    slower. So every other process opens all in the opposite order, and every other round of a process runs backwards;
    a time is the mean over processes of the median in each.

    Both round what they multiply to eight bits. The loss is that of the very files that are timed, over the ids that
    `tools/evaluation_ids` writes; of the peer, that of its file on all ids at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        gguf, ids, floats = _source(place)
        peers = {f"GenAI {name}": _exported(place, gguf, name) for name in PEERS}
        ours = {name: _export(place / name.replace(":", "-").replace(" ", "-"), gguf, name) for name in FORMATS}
        losses = {name: _loss(floats, _Ours(file, name).scores(ids)) for name, file in ours.items()}
        losses |= {name: _loss(floats, _scores(one, ids)) for name, one in peers.items()}
        sizes = {name: _megabytes(file.parent) for name, file in ours.items()}
        sizes |= {name: _megabytes(one) for name, one in peers.items()}
        found = [_timed(ours, peers, backwards=bool(number % 2)) for number in range(PROCESSES)]
    return _rows({name: [one[name] for one in found] for name in sizes}, losses, sizes)


def _rows(took: Mapping[str, list[float]], losses: Mapping[str, float], sizes: Mapping[str, float]) -> list[Row]:
    """Rows of the seconds of a step in each process, of the losses, and of the sizes in megabytes."""
    rows = []
    for name, rival in RIVALS.items():
        of, peer = f"onnx step, SmolLM2, {name}", f"GenAI {rival}"
        times = mean(took[name]), mean(took[peer])
        speeds = " and ".join(f"{1 / one:.1f}" for one in times)
        rows.append(
            Row(
                what=f"{of} / {peer}, time",
                value=times[0] / times[1],
                unit="x",
                bound=RATE,
                detail=f"{speeds} tokens a second; {spread(took[name])}; {sizes[name]:.0f} and {sizes[peer]:.0f} MB",
            )
        )
        rows.append(Row(what=f"{of}: KL, inputs rounded", value=losses[name], unit="nats", bound=LOSSES.get(name)))
        rows.append(
            Row(
                what=f"{of}: KL / that of {peer}",
                value=losses[name] / losses[peer],
                unit="x",
                bound=1.0,
                detail=f"{losses[peer]:.4g} nats",
            )
        )
    return rows


def _timed(ours: Mapping[str, Path], peers: Mapping[str, Path], *, backwards: bool) -> dict[str, float]:
    """Seconds of a step of each in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_times, ours, peers, backwards).result()


def _times(ours: Mapping[str, Path], peers: Mapping[str, Path], backwards: bool) -> dict[str, float]:
    """Open all, the last one first where asked, and take the median of alternating runs of each."""
    opens: dict[str, Callable[[], Callable[[], None]]] = {
        **{name: lambda name=name, file=file: _Ours(file, name).run for name, file in ours.items()},
        **{name: lambda folder=folder: _generation(folder) for name, folder in peers.items()},
    }
    order = -1 if backwards else 1
    runs = {name: opens[name]() for name in list(opens)[::order]}
    found = [{name: _settled(runs[name]) for name in list(opens)[:: -1 if n % 2 else 1]} for n in range(RUNS)]
    return {name: median(one[name] for one in found) / TOKENS for name in opens}


def _settled(run: Callable[[], Any]) -> float:
    """Seconds of the second of two runs: threads of the session before still spin during the first."""
    run()
    return timed(run)


def _megabytes(folder: Path) -> float:
    return sum(one.stat().st_size for one in folder.iterdir() if ".onnx" in one.name) / 1e6


def _loss(floats: Any, scores: Any) -> float:
    """The mean divergence of scores [positions, classes] from those of the floats."""
    import numpy as np

    from archspec.quantising.loss import Tally

    tally = Tally()
    tally.add(floats, scores, np.ones(len(floats), bool), None)
    return tally.loss.kl


def _source(folder: Path) -> tuple[Path, Any, Any]:
    """The model's file, the ids [1, positions], and the scores of the floats at each of them."""
    import torch
    from evaluation_ids import evaluation_ids
    from from_gguf import convert, source

    import archspec

    gguf = source(SPEC)
    ids = evaluation_ids(gguf)
    convert(gguf, folder / "source", "float32")
    with torch.device("meta"):
        module = archspec.compile(SPEC).eval()
    archspec.load_weights(module, SPEC, gguf)
    with torch.inference_mode():
        return gguf, ids, module(torch.from_numpy(ids))[0].numpy()


def _checked(name: str) -> Any:
    """The judged spec whose weights are quantised as a plan says."""
    from archspec.checking import accepted
    from archspec.quantising.plan import plan_of, read_wishes
    from archspec.quantising.spec import quantised

    spec = accepted(SPEC).spec
    return accepted(quantised(spec, plan_of(spec.graph, read_wishes(FORMATS[name]))))


def _export(folder: Path, gguf: Path, name: str) -> Path:
    """Write the step of a plan."""
    from archspec import weights
    from archspec.checking import accepted
    from archspec.lower.step_programs import step_programs
    from archspec.quantising.tensors import stored_tensors

    folder.mkdir()
    checked = _checked(name)
    programs = step_programs(checked)
    assert programs is not None
    stored = stored_tensors(checked.spec.graph, weights.load(accepted(SPEC).spec, gguf))
    return export_step(folder, programs, dict(stored))


class _Ours:
    """The step of a plan, opened as generation opens it where inputs are rounded."""

    def __init__(self, file: Path, name: str) -> None:
        import numpy as np
        import onnxruntime

        from archspec.engines.onnx_step import BoundStep
        from archspec.engines.steps import BuiltSteps
        from archspec.engines.targets.onnx import session_options
        from archspec.lower.step_programs import step_programs

        programs = step_programs(_checked(name))
        assert programs is not None
        options = session_options(rounded=True)
        options.intra_op_num_threads = _threads()
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        step = BoundStep(session, programs.updates)
        self._steps = BuiltSteps(programs=programs, dtype="float32", step=step, once=None)
        self._one = np.ones(1, np.int64)
        self._cache = self._steps.new_cache(1, CAPACITY, {}, {})

    def scores(self, ids: Any) -> Any:
        """The scores [positions, classes] of ids [1, positions], fed one after the other."""
        import numpy as np

        self._cache.past = np.zeros(1, np.int64)
        return np.concatenate([self._next(ids[:, at : at + 1]) for at in range(ids.shape[1])])

    def run(self) -> None:
        """Some steps, each of which takes the choice of the one before."""
        import numpy as np

        self._cache.past = np.array([PAST], np.int64)
        ids = np.ones((1, 1), np.int64)
        for _ in range(TOKENS):
            ids = self._next(ids).argmax(-1, keepdims=True)

    def _next(self, ids: Any) -> Any:
        return self._steps.run({"ids": ids}, self._cache, self._one).copy()


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _exported(folder: Path, gguf: Path, name: str) -> Path:
    """The folder of the peer's own export."""
    made = folder / f"genai-{name}"
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-e", "cpu", "-c", str(folder / "cache")]
    command += ["-i", str(folder / "source"), "-o", str(made), *PEERS[name]]
    subprocess.run(command, check=True, capture_output=True)
    config = json.loads((made / "genai_config.json").read_text(encoding="utf-8"))
    config["model"]["decoder"]["session_options"]["intra_op_num_threads"] = _threads()
    (made / "genai_config.json").write_text(json.dumps(config), encoding="utf-8")
    return made


def _scores(folder: Path, ids: Any) -> Any:
    """The scores [positions, classes] of the peer's file."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(ids.shape[1])[None]}
    asked = {one.name: one for one in session.get_inputs()}
    given = {name: one for name, one in given.items() if name in asked}
    features = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]["decoder"]["head_size"]
    for name in asked.keys() - given.keys():
        # Of keys and values [batch, heads, past, features] there is no past.
        given[name] = np.zeros((1, asked[name].shape[1], 0, features), np.float32)
    (logits,) = session.run(["logits"], given)
    return logits[0]


def _generation(folder: Path) -> Callable[[], None]:
    """Some steps of the peer after as many ids as ours have had, its choice of the next id included."""
    import numpy as np
    import onnxruntime_genai as genai

    model = genai.Model(str(folder))
    options = genai.GeneratorParams(model)
    most = PAST + 2 * RUNS * TOKENS + 8
    options.set_search_options(max_length=most, min_length=most, do_sample=False)
    generator = genai.Generator(model, options)
    generator.append_tokens(np.ones(PAST, np.int32))

    def run() -> None:
        for _ in range(TOKENS):
            generator.generate_next_token()

    return run
