"""Options of stacks that are told by what the compiled layers compute, against the formula written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.checking import compile
from archspec.diagnostics import SpecError
from tests.editing import edited
from tests.lower.running import filled
from tests.options import option
from tests.parity.options import draft

TEXT = """
archspec: 1
name: layers
dims: {{batch: [1, 2, 4], n: [1, 5, 8], m: [1, 5, 8]}}
inputs:
  x: float[batch, n, 8]
  memory: float[batch, m, 6]
defaults: {{norm: {{kind: layer_norm, eps: 1e-2}}}}
graph:
  y:
    block: {block}
    input: x
    residual: {residual}
{fields}
  z: memory * 1
outputs:
  y: float[batch, n, 8]
  z: float[batch, m, 6]
"""
DRAW = torch.Generator().manual_seed(0)
X, MEMORY = (torch.randn(2, n, d, generator=DRAW, dtype=torch.float64) for n, d in ((5, 8), (3, 6)))


def module_of(fields: str, block: str = "encoder", residual: str = "bare") -> nn.Module:
    lines = "\n".join(f"    {line}" for line in fields.strip("\n").splitlines())
    return filled(compile(draft(TEXT.format(block=block, residual=residual, fields=lines)))).double().eval()


def result(module: nn.Module) -> Tensor:
    found: Tensor = module(X, MEMORY).y
    return found


def attended(part: nn.Module, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
    """Attention of one head, from its projections."""
    source = x if memory is None else memory
    y = F.scaled_dot_product_attention(part.q(x), part.k(source), part.v(source), attn_mask=mask)
    out: Tensor = part.out(y)
    return out


def forwarded(part: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = part.down(torch.tanh(part.up(x)))
    return y


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted.detach(), rtol=1e-9, atol=1e-9)


FEED = "feed_forward: {hidden: 4, activation: tanh}"


@option("attention.bias={word}")
@pytest.mark.parametrize("word", ["q", "k", "v", "out", "true", "false"])
def test_biases_of_single_projections(word: str) -> None:
    given = word if word in ("true", "false") else f"[{word}]"
    module = module_of(f"layers: 1\nattention: {{heads: 1, mask: all, bias: {given}}}\nfeed_forward: none")
    part = module.y.layers[0].attention
    has = {name for name in ("q", "k", "v", "out") if getattr(part, name).bias is not None}
    assert has == ({"q", "k", "v", "out"} if word == "true" else set() if word == "false" else {word})
    close(result(module), X + attended(part, X))


@option("attention_positions.query=none", "attention_positions.kind=added", "attention_positions.key")
def test_positions_that_are_added_to_keys_alone() -> None:
    module = module_of(
        "layers: 1\nattention: {heads: 1, mask: all, positions: {kind: added, key: 2*x}}\nfeed_forward: none"
    )
    part = module.y.layers[0].attention
    y = F.scaled_dot_product_attention(part.q(X), part.k(3 * X), part.v(X))
    close(result(module), X + part.out(y))


@option("attention_positions.key=none", "attention_positions.kind=added", "attention_positions.query")
def test_positions_that_are_added_to_queries_alone() -> None:
    module = module_of(
        "layers: 1\nattention: {heads: 1, mask: all, positions: {kind: added, query: 2*x}}\nfeed_forward: none"
    )
    part = module.y.layers[0].attention
    y = F.scaled_dot_product_attention(part.q(3 * X), part.k(X), part.v(X))
    close(result(module), X + part.out(y))


@option("feed_forward.pre_norm=false", "attention.pre_norm=true", "stack.norm", "stack.final_norm=true")
def test_a_feed_forward_without_its_norm() -> None:
    module = module_of(
        "layers: 2\nnorm: {kind: rms_norm, eps: 1e-3}\nfinal_norm: true\nattention: {heads: 1, mask: all}\n"
        "feed_forward: {hidden: 4, activation: tanh, pre_norm: false}",
        residual="pre",
    )
    x = X
    for layer in module.y.layers:
        x = x + attended(layer.attention, F.rms_norm(x, (8,), layer.attention_norm.weight, 1e-3))
        x = x + forwarded(layer.feed_forward, x)
    last = module.y.final_norm
    close(result(module), F.layer_norm(x, (8,), last.weight, last.bias, 1e-2))


@option("stack.norm=true", "stack.share=false", "stack.feed_forward")
def test_the_default_norm_by_its_word() -> None:
    module = module_of(f"layers: 2\nnorm: true\nattention: none\n{FEED}", residual="post")
    assert len({id(layer.feed_forward.up.weight) for layer in module.y.layers}) == 2
    x = X
    for layer in module.y.layers:
        norm = layer.feed_forward_norm
        x = F.layer_norm(x + forwarded(layer.feed_forward, x), (8,), norm.weight, norm.bias, 1e-2)
    close(result(module), x)


@option("stack.norm=none", "residual.kind=bare")
def test_no_norm_by_its_word() -> None:
    module = module_of(f"layers: 1\nnorm: none\nattention: none\n{FEED}")
    assert not [name for name, _ in module.named_parameters() if "norm" in name]
    close(result(module), X + forwarded(module.y.layers[0].feed_forward, X))


KINDS = """
layers: 3
attention: {heads: 1, mask: causal}
feed_forward: none
kinds:
  own: {}
  both: {cross_attention: {memory: memory, heads: 1, mask: all}, attention: none}
  plain: {cross_attention: none, attention: {mask: all & causal}}
pattern: [own, both, plain]
"""


@option("{block}.kinds", "cross_sublayers.cross_attention", "cross_sublayers.cross_attention=none")
@option("sublayers.attention=none", "{block}.cross_attention=none", "pattern.repeat")
@pytest.mark.parametrize("block", ["transformer", "decoder"])
def test_kinds_with_and_without_attention_to_another_sequence(block: str) -> None:
    module = module_of(KINDS + "cross_attention: none\n", block=block)
    own, both, plain = module.y.layers
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    x = X + attended(own.attention, X, mask=causal)
    x = x + attended(both.cross_attention, x, MEMORY)
    close(result(module), x + attended(plain.attention, x, mask=causal))
    assert not hasattr(both, "attention") and not hasattr(plain, "cross_attention")


TABLES = """
layers: 3
attention: {heads: 1, mask: all}
feed_forward: none
kinds:
  near:
    attention:
      positions: {kind: relative_buckets, buckets: NEAR, max_distance: 9, bidirectional: true, share: SHARE}
  far:
    attention:
      positions: {kind: relative_buckets, buckets: 8, max_distance: 9, bidirectional: true, share: true}
pattern: [near, far]
"""


@pytest.mark.parametrize(("near", "share", "tables"), [("8", "true", 1), ("4", "false", 3)])
def test_kinds_that_share_a_table_have_the_same(near: str, share: str, tables: int) -> None:
    module = module_of(edited(TABLES, ("NEAR", near), ("SHARE", share)))
    assert sum("positions" in name for name, _ in module.named_parameters()) == tables


def test_kinds_whose_tables_differ_cannot_share_one() -> None:
    with pytest.raises(SpecError) as raised:
        module_of(edited(TABLES, ("NEAR", "4"), ("SHARE", "true")))
    (found,) = raised.value.diagnostics
    assert found.code == "E242"
    assert found.message == "layer kinds share one table of positions, but their tables differ"
    assert found.primary is not None and len(found.secondary) == 1
    assert found.primary.span.line == found.secondary[0].span.line + 3
