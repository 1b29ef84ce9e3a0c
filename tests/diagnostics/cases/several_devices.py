"""Diagnostics of runs on several devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch.optim import AdamW

from archspec.analyses.sharding.planner import plan
from archspec.checking import accepted
from archspec.ir.placement import Partial, Shard
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.parallel import resume, save
from archspec.parallel.pipeline import emit_pipeline
from archspec.parallel.proposal import propose
from archspec.passes.shard import shard
from archspec.spec.shipped import shipped_specs_dir
from archspec.weights import agreement
from tests.diagnostics.cases.parts import Case

_TWICE = """\
archspec: 1
name: twice
defaults: {norm: layer_norm}
dims: {batch: [1, 2, 4], length: [1, 9, 24]}
inputs:
  ids: int64[batch, length] < 97
graph:
  source: {block: token_embedding, ids: ids, vocab: 97, dim: 32}
  states:
    block: encoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 4, mask: all}
    feed_forward: {hidden: 64, activation: relu}
  again: {reuse: states, input: states}
outputs:
  again: float[batch, length, 32]
"""


def _another_rank(folder: Path) -> None:
    others = mock.patch.object(agreement, "largest_on_any_rank", lambda numbers, device: [2 for _ in numbers])
    with others, agreement.on_every_rank(torch.device("cpu")):
        pass


def _planned(**sizes: int) -> Case:
    def case(folder: Path) -> None:
        wanted = {"tensor": None, "data": None, "pipeline": None, "memory": None, **sizes}
        path = folder / "spec.yaml"
        path.write_text((shipped_specs_dir() / "gpt2.yaml").read_text("utf-8"), "utf-8")
        propose(accepted(path), **wanted)

    return case


def _layers_twice(folder: Path) -> None:
    path = folder / "spec.yaml"
    path.write_text(_TWICE, "utf-8")
    emit_pipeline(accepted(path), 4)


def _damaged(folder: Path) -> None:
    module = nn.Linear(2, 3)
    path = save(folder, module, AdamW(module.parameters()), step=1, data={})
    next(path.glob("*.safetensors")).unlink()
    resume(folder, module, AdamW(module.parameters()))


def _another_module(folder: Path) -> None:
    module, other = nn.Linear(2, 3), nn.Linear(2, 4, bias=False)
    save(folder, module, AdamW(module.parameters()), step=1, data={})
    resume(folder, other, AdamW(other.parameters()))


def _no_json(folder: Path) -> None:
    module = nn.Linear(2, 3)
    save(folder, module, AdamW(module.parameters()), step=1, data={"seen": {3, 5}})


def _in_parts(folder: Path) -> None:
    path = folder / "spec.yaml"
    path.write_text((shipped_specs_dir() / "gpt2.yaml").read_text("utf-8"), "utf-8")
    graph = with_masks(accepted(path).spec)
    hooks = boundaries(graph)
    made = plan(graph, 2, hooks)
    # As with parts of the length, whose exchanges are not those of such programs.
    found = [replace(one, target=Shard(1)) if one.source == Partial() else one for one in made.conversions]
    shard(graph, replace(made, conversions=tuple(found)), hooks, 0)


CASES: dict[str, Case] = {
    "E900": _planned(tensor=5),
    "E901": _planned(pipeline=40),
    "E902": _planned(memory=4_000_000),
    "E920": _layers_twice,
    "E921": _in_parts,
    "E940": _another_rank,
    "E941": _damaged,
    "E942": _another_module,
    "E943": _no_json,
}
