"""Files, weights and modules: what goes wrong before anything runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.checking import accepted
from archspec.diagnostics import SpecError, SpecWarning, explain
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.lower import cache, emit
from archspec.lower.errors import ReusedDifferently
from archspec.page.components import program
from archspec.spec.claims import load_claims
from archspec.spec.files import locate
from archspec.text.reader import read_bytes
from archspec.weights import check_layout, export_weights
from archspec.weights import load as load_weights
from archspec.weights.files import read_weights
from tests.diagnostics.cases.parts import Case, decoder
from tests.spec.example import spec_of, text_with
from tests.weights.tables import OURS, THEIRS, layout_of

_LAYOUTS = "weights:\n  mine: {map: {y.weight: a}}\n  theirs: {map: {y.weight: a, y.bias: c}}\n"


def _claims(folder: Path) -> None:
    (folder / "rules.yaml").write_text(text_with("counts: {parameters: 3}").replace("graph:\n  y: {block", "about: {y"))
    text = text_with("counts: {parameters: 3}").split("graph:")[0]
    (folder / "rules.yaml").write_text(text + "outputs:\n  y: float[batch, length, d]\ncounts: {parameters: 3}\n")
    load_claims(folder / "rules.yaml")


def _taken(folder: Path) -> None:
    emit(accepted(spec_of(folder, "graph:\n  train: {block: linear, input: x, dim: d}\n  y: train * 2\n")))


def _cache(folder: Path) -> None:
    (folder / "generated").mkdir()
    (folder / "generated").chmod(0o777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.ENVIRONMENT, str(folder))
        cache.store("x = 1\n")


def _layout(code: str) -> Case:
    wrong = explain(code).split("```")[1].removeprefix("weights\n")
    return lambda folder: check_layout(OURS, layout_of(wrong), THEIRS)


def _quantised(folder: Path) -> None:
    spec = spec_of(folder)
    load_weights(spec, {"y.weight": torch.zeros(8, 8, dtype=torch.int8), "y.bias": torch.zeros(8)})


def _not_tensors(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"PK")
    load_weights(spec_of(folder), folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    save_file({"y.weight": torch.zeros(8, 8)}, folder / "model.safetensors")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:20])
    with read_weights(folder):
        pass


def _unlike(folder: Path) -> None:
    load_weights(spec_of(folder, _LAYOUTS), {"q": torch.zeros(8, 8)})


def _not_finite(folder: Path) -> None:
    load_weights(spec_of(folder), {"y.weight": torch.zeros(8, 8).index_fill(0, torch.tensor([3]), float("nan")),
                                   "y.bias": torch.zeros(8)})  # fmt: skip


def _fp8(folder: Path) -> None:
    load_weights(spec_of(folder), {"y.weight": torch.zeros(8, 8).to(torch.float8_e4m3fn), "y.bias": torch.zeros(8)})


def _own_head(folder: Path) -> None:
    layout = "weights:\n  mine: {tied: {head: a}, map: {y.weight: a, y.bias: b}}\n"
    load_weights(spec_of(folder, layout), {"a": torch.zeros(8, 8), "b": torch.zeros(8), "head": torch.ones(8, 8)})


def _skipped_head(folder: Path) -> None:
    text = locate("gpt2").read_text("utf-8")
    assert "tied: {lm_head.weight: wte.weight}" in text
    (folder / "skips.yaml").write_text(text.replace("tied: {lm_head.weight: wte.weight}", "").replace(
        "skip: [", "skip: [lm_head.weight, "))  # fmt: skip
    spec = archspec.load(folder / "skips.yaml", reduced=True)
    layout, _ = layouts(spec)
    export = export_weights(parameter_shapes(spec.graph), layout, archspec.compile(spec).state_dict())
    _warned(lambda: load_weights(spec, {**export, "lm_head.weight": export["transformer.wte.weight"]}))


def _stray(folder: Path) -> None:
    tensors = {"y.weight": torch.zeros(8, 8), "y.bias": torch.zeros(8)}
    save_file(tensors, folder / "one.safetensors")
    save_file(tensors, folder / "old.safetensors")
    index = dict.fromkeys(tensors, "one.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    _warned(lambda: load_weights(spec_of(folder), folder))


def _warned(act: Callable[[], object]) -> None:
    """Raise what the act warns of."""
    with pytest.warns(SpecWarning) as told:
        act()
    raise SpecError(one.message.diagnostic for one in told if isinstance(one.message, SpecWarning))


def _without_npm(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(folder / "python"))
        patch.setenv("PATH", str(folder))
        program("npm")


CASES: dict[str, Case] = {
    "E103": lambda folder: read_bytes("large.yaml", b"# " + b"x" * 300_000),
    "E229": _claims,
    "E501": _taken,
    "E502": lambda folder: ReusedDifferently("second").refuse(),
    "E503": _cache,
    "E504": lambda folder: archspec.compile(decoder(folder, change={"20": "9000000000000"})),
    **{f"E{number}": _layout(f"E{number}") for number in (*range(510, 520), 525)},
    "E520": lambda folder: load_weights(spec_of(folder, _LAYOUTS), {"q": torch.zeros(1)}, "thiers"),
    "E521": _unlike,
    "E522": _not_tensors,
    "E523": _cut,
    "E524": _quantised,
    "E526": _own_head,
    "E527": _not_finite,
    "E528": _fp8,
    "W510": _skipped_head,
    "W511": _stray,
    "E764": lambda folder: _without_npm(folder),
    "E754": lambda folder: _compared(["vit-b16", "vit-b16"]),
    "E755": lambda folder: _compared(["vit-b16", "clip-vit-b32"]),
    "E730": lambda folder: _model(lambda x: {"states": x}, {"x": "logits"}),
    "E731": lambda folder: _model(lambda x: x @ x, {"x": "y"}),
    "E732": lambda folder: _without_a_graph(folder),
}


def _compared(sources: list[str]) -> None:
    from archspec.views.comparison.compare import compare

    compare(sources, reduced=True, measured=False)


def _model(model: object, names: dict[str, str]) -> None:
    import numpy as np

    from archspec.contract.torch_module import TorchRunner

    runner = TorchRunner(model, list(names), list(names.values()), picks={"logits": "logits"})  # type: ignore[arg-type]
    runner.run({"x": np.zeros((2, 3), dtype=np.float32)})


def _without_a_graph(folder: Path) -> None:
    from archspec.contract.compiled import verify_compiled

    text = text_with().split("graph:")[0]
    (folder / "rules.yaml").write_text(text + "outputs:\n  y: float[batch, length, d]\n")
    verify_compiled(load_claims(folder / "rules.yaml"))
