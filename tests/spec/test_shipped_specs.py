from __future__ import annotations

import pytest

from archspec.analyses.cost import cost
from archspec.spec import check_counts, describe, load
from archspec.spec.shipped import shipped_specs_dir

NAMES = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))

# Published counts: from the papers' sizes by arithmetic, or from the reference implementations.
PARAMETERS = {
    "transformer-base": 63_082_496,
    "transformer-big": 214_245_376,
    "bert-base": 109_482_240,
    "minilm-l6": 22_713_216,
    "gpt2": 124_439_808,
    "vit-b16": 86_567_656,
    "vit-l16": 304_326_632,
    "vit-h14": 632_045_800,
    "resnet-50": 25_557_032,
    "convnext-tiny": 28_589_128,
    "swin-t": 28_288_354,
    "mistral-7b": 7_241_732_096,
    "gemma-2-2b": 2_614_341_888,
    "prefix-lm-base": 124_439_808,
    "modernbert-base": 149_014_272,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_that_are_published(name: str) -> None:
    spec = load(name)
    counted = cost(spec.graph)
    assert counted.parameters == counted.trainable == PARAMETERS[name]
    assert spec.counts is not None
    assert spec.counts.parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_each_holds_says_what_it_is_and_warns_of_nothing(name: str) -> None:
    spec = load(name)
    assert spec.name == name
    assert spec.warnings == ()
    assert spec.about == describe(spec.path) != ""
    assert spec.rules
    assert check_counts(spec, cost(spec.graph)) == ()


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_small_copy(name: str) -> None:
    small = load(name, reduced=True)
    # Two layers, or one round of a pattern.
    assert small.constants["layers"].constant() in {2, 4, 6}
    assert cost(small.graph).parameters < 200_000
    assert small.warnings == ()
    assert check_counts(small, cost(small.graph)) == ()


def test_flops_are_those_of_matrix_products_by_hand() -> None:
    spec = load("bert-base")
    batch, length, d, layers = 8, 128, 768, 12
    layer = 4 * d * d + 2 * 4 * d * d + 2 * length * d
    assert cost(spec.graph).flops.typical() == 2 * batch * (length * layers * layer + d * d)


def test_flops_of_experts_are_those_of_the_chosen_ones() -> None:
    spec = load("mixtral-8x7b")
    batch, length, d, hidden, experts, top_k, layers, vocab = 1, 128, 4096, 14336, 8, 2, 32, 32000
    attention = d * d + 2 * d * 1024 + d * d + 2 * length * d
    layer = attention + d * experts + top_k * 3 * d * hidden
    assert cost(spec.graph).flops.typical() == 2 * batch * length * (layers * layer + d * vocab)
    # A larger model of as many chosen experts costs its wider router, and nothing else.
    wider = cost(load("mixtral-8x7b", set=["experts=64"]).graph).flops.typical()
    assert wider - cost(spec.graph).flops.typical() == 2 * batch * length * layers * d * (64 - experts)
    held = 3 * d * hidden * 4 * layers
    assert cost(spec.graph).weight_bytes > experts * held


def test_flops_of_a_shared_expert_are_counted_for_every_token() -> None:
    alone, shared = (
        cost(load("mixtral-8x7b", set=[f"graph.states.feed_forward.experts.shared={more}"]).graph).flops.typical()
        for more in ("none", "{hidden: 512}")
    )
    assert shared - alone == 2 * 128 * 32 * 3 * 4096 * 512


def test_a_wrong_count_is_told_with_what_was_found() -> None:
    spec = load("gpt2", set=["layers=2"])
    assert check_counts(spec, cost(spec.graph)) == ()
    spec = load("gpt2")
    wrong = cost(load("gpt2", set=["layers=11"]).graph)
    said = [(found.code, found.message) for found in check_counts(spec, wrong)]
    assert said == [("E227", "`parameters` and `trainable` are 117,351,936, but 124,439,808 is declared")]
