"""`archspec weights`: what maps to what, and drafts, held against the layouts that ship and what transformers saves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import Tensor

from archspec import weights
from archspec.cli import cli
from archspec.diagnostics import Source
from archspec.layouts.parameters import parameter_shapes
from archspec.text.reader import read
from archspec.weights.draft import draft, joined, spelled
from archspec.weights.survey import survey_checkpoint
from tests.weights.test_published import HEADS, MODELS, same, spec_of, state_of


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in sorted(state.items())}


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"t5-small"}))
def test_a_draft_from_names_and_shapes_loads_what_the_shipped_layout_does(name: str) -> None:
    spec, state = spec_of(name), state_of(name)
    found = survey_checkpoint(replace(spec, weights={}), shapes_of(state))
    assert found.layout is None
    assert len(found.missing) == len(parameter_shapes(spec.graph))
    assert list(found.ties) == [": ".join(HEADS[name])]
    text = "".join(f"  {line}\n" for line in found.lines)
    layout = weights.read_layout("mine", read(Source("draft.yaml", f"tied: {{{found.ties[0]}}}\nmap:\n{text}")))
    assert same(weights.load(spec, state, layout), weights.load(spec, state))


def test_a_draft_of_t5_tells_all_but_its_norms() -> None:
    """Which of a block's norms is which neither names nor shapes tell; all else is as in the shipped layout."""
    spec, state = spec_of("t5-small"), state_of("t5-small")
    (layout,) = weights.layouts(spec)
    wanted = {name: step.names[0] for step in weights.check_layout(
        parameter_shapes(spec.graph), layout, shapes_of(state)).steps for name in step.ours}  # fmt: skip
    drafted = {name: their for line in draft(parameter_shapes(spec.graph), shapes_of(state))
               for name, their in line.taken.items()}  # fmt: skip
    assert drafted.keys() == wanted.keys()
    wrong = {name for name in wanted if drafted[name] != wanted[name]}
    assert {name.rsplit(".", 2)[-2] for name in wrong} <= {"attention_norm", "feed_forward_norm",
                                                           "cross_attention_norm", "source"}  # fmt: skip


def test_experts_are_drafted_as_a_stack() -> None:
    ours = {f"layers.{n}.experts.{part}": (4, *shape) for n in range(2)
            for part, shape in (("up", (6, 8)), ("down", (8, 6)))}  # fmt: skip
    theirs = {f"l.{n}.mlp.experts.{expert}.{part}_proj.weight": shape for n in range(2) for expert in range(4)
              for part, shape in (("up", (6, 8)), ("down", (8, 6)))}  # fmt: skip
    assert spelled(draft(ours, theirs), ours) == (
        "layers.*.experts.up: {from: l.*.mlp.experts.*.up_proj.weight, stack: 0}",
        "layers.*.experts.down: {from: l.*.mlp.experts.*.down_proj.weight, stack: 0}",
    )


def test_axes_of_one_are_drafted_as_a_pattern() -> None:
    lines = draft({"tokens.positions": (9, 8)}, {"embeddings.position_embeddings": (1, 9, 8)})
    assert [str(line) for line in lines] == [
        "tokens.positions: {from: embeddings.position_embeddings, rearrange: 1 a b -> a b}"
    ]


def test_what_shapes_rule_out_is_not_drafted() -> None:
    assert draft({"a.weight": (3, 4)}, {"a.weight": (3, 5), "b": (4,)}) == ()
    assert joined(["x.q.w", "x.k.w"]) == "x.(q k).w"
    assert joined(["x.q.w", "y.k.w"]) == "x.q.w, y.k.w"


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["weights", *arguments])


SIZES = ["layers=2", "d_model=16", "d_ff=24", "heads=2", "vocab=31", "context=12", "dims.length=[1, 4, context]"]
GPT2 = ["gpt2", *(word for size in SIZES for word in ("--set", size))]


def test_without_a_checkpoint_every_layout_is_listed() -> None:
    found = ran("smollm2-135m")
    assert found.exit_code == 0
    assert "layout huggingface: 272 tensors map" in found.output
    assert "layout gguf: 272 tensors map" in found.output
    assert "  lm_head.weight = embed_tokens.weight" in found.output
    assert "attn_q.weight" in ran("smollm2-135m", "--layout", "gguf").output


def test_a_checkpoint_that_maps_whole(tmp_path: Path) -> None:
    save_file({name: tensor.clone() for name, tensor in state_of("gpt2").items()}, tmp_path / "model.safetensors")
    found = ran(*GPT2, str(tmp_path), "--json")
    told = json.loads(found.output)
    assert (found.exit_code, told["holds"]) == (0, True)
    (layout,) = told["layouts"]
    assert layout["layout"] == "huggingface"
    assert layout["tied"] == ["lm_head.weight = transformer.wte.weight"]
    assert sum(one["count"] * len(one["ours"]) for one in layout["mapped"]) == 36
    split = next(one for one in layout["mapped"] if len(one["ours"]) == 3 and one["shape"] == [16, 16])
    assert split == {
        "ours": [f"states.layers.*.attention.{part}.weight" for part in "qkv"],
        "theirs": ["transformer.h.*.attn.c_attn.weight"],
        "operations": ["transpose", "split"],
        "shape": [16, 16],
        "count": 2,
    }


def test_what_does_not_map_is_listed_and_drafted(tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in state_of("gpt2").items()}
    state["transformer.final.weight"] = state.pop("transformer.ln_f.weight")
    save_file(state, tmp_path / "model.safetensors")
    found = ran(*GPT2, str(tmp_path / "model.safetensors"))
    assert found.exit_code == 1
    assert "layout huggingface: 35 tensors map" in found.output
    assert "unmapped parameters:\n  states.final_norm.weight [16]\n" in found.output
    assert "unused tensors of the checkpoint:\n  transformer.final.weight [16]\n" in found.output
    assert "\n  states.final_norm: transformer.final\n" in found.output


def test_other_formats_are_refused(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "pytorch_model.bin")
    assert "E522" in str(ran("gpt2", str(tmp_path)).exception)
