"""Every rate of dropout in training, where one draw is told from all others; and nothing of it in eval mode."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archspec.checking import compile
from tests.options import option
from tests.parity.options import draft

ROWS = 4000
TEXT = """
archspec: 1
name: drops
dims: {{batch: [1, 4, 5000]}}
inputs:
  x: {type}
defaults: {{norm: layer_norm{defaults}}}
graph:
  y: {node}
outputs:
  y: {output}
"""


def module_of(
    node: str, *, type: str = "float[batch, 1, 2]", output: str = "float[batch, 1, 2]", defaults: str = ""
) -> nn.Module:
    text = TEXT.format(node=node, type=type, output=output, defaults=defaults)
    return compile(draft(text))


def fixed(module: nn.Module, **values: float) -> nn.Module:
    """Parameters that are known: all zero but those whose names end with a key."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(
                next((value for end, value in values.items() if name.endswith(end.replace("__", "."))), 0.0)
            )
    return module


def dropped(found: Tensor, whole: float, rate: float, base: float = 0.0) -> None:
    """Each number is the base, or the base and the whole scaled up; so many of them as the rate says."""
    found = found - base
    kept = found != 0
    torch.testing.assert_close(found[kept], torch.full_like(found[kept], whole / (1 - rate)))
    assert abs(1 - kept.double().mean() - rate) < 0.03


def both(module: nn.Module, x: Tensor, whole: float, rate: float, base: float = 0.0) -> None:
    torch.manual_seed(0)
    dropped(module.train()(x), whole, rate, base)
    torch.testing.assert_close(module.eval()(x), torch.full_like(module(x), whole + base))


ONES = torch.ones(ROWS, 1, 2)


@option("dropout.input", "dropout.rate")
def test_the_block() -> None:
    both(module_of("{block: dropout, input: x, rate: 1/4}"), ONES, 1.0, 0.25)


@option("drop_path.input", "drop_path.rate")
def test_drop_path_drops_whole_samples() -> None:
    module = module_of("{block: drop_path, input: x, rate: 1/4}")
    both(module, ONES, 1.0, 0.25)
    found = module.train()(ONES)
    assert (found[:, :, 0] == found[:, :, 1]).all()


@option("token_embedding.dropout")
def test_a_token_embedding() -> None:
    module = module_of(
        "{block: token_embedding, ids: x, vocab: 3, dim: 2, dropout: 0.4}",
        type="int64[batch, 1] < 3",
        defaults=", dropout: 0.2",
    )
    both(fixed(module, table=2.0), torch.zeros(ROWS, 1, dtype=torch.long), 2.0, 0.4)


@option("defaults.dropout")
def test_the_default_of_embeddings() -> None:
    module = module_of(
        "{block: token_embedding, ids: x, vocab: 3, dim: 2}", type="int64[batch, 1] < 3", defaults=", dropout: 0.2"
    )
    both(fixed(module, table=2.0), torch.zeros(ROWS, 1, dtype=torch.long), 2.0, 0.2)


@option("patch_embedding.dropout", "patch_embedding.positions=none")
def test_a_patch_embedding() -> None:
    node = "{block: patch_embedding, input: x, patch: 2, dim: 2, dropout: 0.4}"
    module = module_of(node, type="float[batch, 1, 2, 2]")
    both(fixed(module, bias=1.0), torch.zeros(ROWS, 1, 2, 2), 1.0, 0.4)


LAYER = "{{block: encoder, input: x, layers: 1, residual: bare, attention: {attention}, feed_forward: {feed}{more}}}"


@option("stack.dropout", "defaults.dropout", "stack.feed_forward")
@pytest.mark.parametrize(("more", "rate"), [(", dropout: 0.4", 0.4), ("", 0.2)])
def test_branches(more: str, rate: float) -> None:
    feed = "{hidden: 2, activation: none}"
    node = LAYER.format(attention="none", feed=feed, more=more or ", dropout: 0.2")
    module = module_of(node, defaults=", dropout: 0.1")
    both(fixed(module, down__bias=2.0), ONES, 2.0, rate, base=1.0)


@option("defaults.dropout")
def test_the_default_of_branches_is_not_that_inside_them() -> None:
    node = LAYER.format(attention="none", feed="{hidden: 2, activation: none}", more="")
    module = module_of(node, defaults=", dropout: 0.3")
    both(fixed(module, down__bias=2.0), ONES, 2.0, 0.3, base=1.0)


@option("feed_forward.dropout")
def test_between_the_maps() -> None:
    node = LAYER.format(attention="none", feed="{hidden: 1, activation: none, dropout: 0.4}", more="")
    module = fixed(module_of(node), up__bias=1.0, down__weight=3.0)
    both(module, ONES, 3.0, 0.4, base=1.0)


@option("attention.dropout")
def test_weights_of_attention() -> None:
    """One key, whose weight is 1: its value is kept or not."""
    node = LAYER.format(attention="{heads: 1, mask: all, dropout: 0.4}", feed="none", more="")
    module = fixed(module_of(node), v__bias=3.0)
    with torch.no_grad():
        module.y.layers[0].attention.out.weight.copy_(torch.eye(2))
    both(module, ONES, 3.0, 0.4, base=1.0)


def test_no_default_is_no_dropout() -> None:
    module = fixed(module_of(LAYER.format(attention="none", feed="{hidden: 2, activation: none}", more="")), bias=1.0)
    torch.testing.assert_close(module.train()(ONES), torch.full_like(ONES, 2.0))


@option("attention.dropout")
def test_weights_that_are_shown_are_those_before_they_are_dropped() -> None:
    node = LAYER.format(attention="{heads: 1, mask: all, dropout: 0.9}", feed="none", more="")
    text = TEXT.format(node=node, type="float[batch, 5, 2]", output="float[batch, 5, 2]", defaults="")
    text += '  weights: {from: y.layers.0.attention.weights, type: "float[batch, 1, 5, 5]"}\n'
    found = compile(draft(text)).train()(torch.randn(3, 5, 2))
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(3, 1, 5))
