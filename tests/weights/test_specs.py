"""Every key of a layout, in a whole spec, against the same steps in PyTorch."""

from __future__ import annotations

import torch

from archspec import weights
from archspec.weights.apply import shapes_of
from tests.options import option
from tests.parity.options import draft

SPEC = """
archspec: 1
name: laid
dims: {batch: [1, 2, 4]}
inputs:
  x: float[batch, 8]
defaults: {bias: false}
graph:
  a: {block: linear, input: x, dim: 6, bias: true}
  b: {block: linear, input: x, dim: 4}
  c: {block: linear, input: x, dim: 4}
  joined: {block: linear, input: x, dim: 5}
  turned: {block: linear, input: x, dim: 6}
  normed: {block: norm, input: x, kind: rms_norm, unit_offset: true}
  states: {block: linear, input: x, dim: 8, repeat: 3}
  odd: {block: linear, input: x, dim: 8, repeat: 2}
  mixture:
    - {block: rearrange, input: x, pattern: b d -> b 1 d}
    - block: encoder
      layers: 1
      residual: bare
      attention: none
      feed_forward: {hidden: 2, activation: relu, experts: {count: 3, top_k: 1, scores: softmax, normalise: true}}
  y: a * 1
  rest: {block: concat, inputs: [b, c, joined, turned, states, odd, normed], axis: 1}
outputs:
  y: float[batch, 6]
  rest: float[batch, 43]
  mixture: float[batch, 1, 8]
weights:
  theirs:
    about: everything that a layout can say
    prefix: [model., ""]
    rename: {gamma: weight}
    skip: [position_ids, heads.*.extra]
    tied: {head.weight: lower.weight, "(in out).*.gain": deep.*.weight}
    map:
      a.weight: {from: first.weight, transpose: true}
      a.bias: first.bias
      (b c).weight: {from: packed.weight, split: 1, transpose: true}
      joined.weight: {from: [upper.weight, lower.weight], concat: 0}
      turned.weight: {from: pairs.weight, rearrange: "(h p) d -> (p h) d", sizes: {p: 2}}
      normed.weight: {from: scale.weight, add: -1}
      states.*.weight: {from: deep.*.weight, index: 3 - i}
      odd.*: {from: blocks.*, index: 2*i + 1, map: {weight: proj.weight}}
      mixture.1.layers.0.feed_forward:
        from: moe
        map:
          router: gate
          experts.up: {from: experts.*.in.weight, stack: 0}
          experts.down: {from: experts.*.out.weight, stack: 0}
"""


@option("layout.about", "layout.prefix", "layout.rename", "layout.skip", "layout.map", "layout.from", "file.weights")
@option(
    "layout.tied",
    "layout.index",
    "layout.transpose",
    "layout.add",
    "layout.split",
    "layout.concat",
    "layout.stack",
    "layout.rearrange",
    "layout.sizes",
)
def test_all_that_a_layout_can_say() -> None:
    spec = draft(SPEC)
    draw = torch.Generator().manual_seed(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw)

    theirs = {
        "model.first.gamma": some(8, 6),
        "model.first.bias": some(6),
        "packed.weight": some(8, 8),
        "model.upper.weight": some(2, 8),
        "lower.weight": some(3, 8),
        "pairs.weight": some(6, 8),
        "scale.weight": some(8).bfloat16(),
        **{f"deep.{n}.weight": some(8, 8) for n in (1, 2)},
        "model.out.3.gain": some(8, 8),
        **{f"model.blocks.{n}.proj.weight": some(8, 8) for n in (1, 3)},
        "model.moe.gate.weight": some(3, 8),
        **{f"moe.experts.{n}.in.weight": some(2, 8) for n in range(3)},
        **{f"moe.experts.{n}.out.weight": some(8, 2) for n in range(3)},
        "position_ids": some(3),
        "heads.0.extra": some(1),
        "heads.7.extra": some(1),
    }
    theirs["in.1.gain"] = theirs["deep.1.weight"].clone()
    theirs["head.weight"] = theirs["lower.weight"].clone()
    found = weights.load(spec, theirs, "theirs")
    wanted = {
        "a.weight": theirs["model.first.gamma"].T,
        "a.bias": theirs["model.first.bias"],
        "b.weight": theirs["packed.weight"][:, :4].T,
        "c.weight": theirs["packed.weight"][:, 4:].T,
        "joined.weight": torch.cat([theirs["model.upper.weight"], theirs["lower.weight"]]),
        "turned.weight": theirs["pairs.weight"].reshape(3, 2, 8).transpose(0, 1).reshape(6, 8),
        "normed.weight": theirs["scale.weight"].float() - 1,
        "states.0.weight": theirs["model.out.3.gain"],
        **{f"states.{n}.weight": theirs[f"deep.{3 - n}.weight"] for n in (1, 2)},
        **{f"odd.{n}.weight": theirs[f"model.blocks.{2 * n + 1}.proj.weight"] for n in range(2)},
        "mixture.1.layers.0.feed_forward.router.weight": theirs["model.moe.gate.weight"],
        "mixture.1.layers.0.feed_forward.experts.up": torch.stack(
            [theirs[f"moe.experts.{n}.in.weight"] for n in range(3)]
        ),
        "mixture.1.layers.0.feed_forward.experts.down": torch.stack(
            [theirs[f"moe.experts.{n}.out.weight"] for n in range(3)]
        ),
    }
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name
    (layout,) = weights.layouts(spec)
    export = weights.export_weights(weights.parameter_shapes(spec.graph), layout, found, shapes_of(theirs))
    assert torch.equal(export["scale.weight"], theirs["scale.weight"].float())
    assert layout.about == "everything that a layout can say"
