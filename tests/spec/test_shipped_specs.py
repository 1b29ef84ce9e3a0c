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
    assert small.constants["layers"].constant() in {2, 4}
    assert cost(small.graph).parameters < 200_000
    assert small.warnings == ()
    assert check_counts(small, cost(small.graph)) == ()


def test_flops_are_those_of_matrix_products_by_hand() -> None:
    spec = load("bert-base")
    batch, length, d, layers = 8, 128, 768, 12
    layer = 4 * d * d + 2 * 4 * d * d + 2 * length * d
    assert cost(spec.graph).flops.typical() == 2 * batch * (length * layers * layer + d * d)


def test_a_wrong_count_is_told_with_what_was_found() -> None:
    spec = load("gpt2", set=["layers=2"])
    assert check_counts(spec, cost(spec.graph)) == ()
    spec = load("gpt2")
    wrong = cost(load("gpt2", set=["layers=11"]).graph)
    said = [(found.code, found.message) for found in check_counts(spec, wrong)]
    assert said == [
        ("E227", "`parameters` is 117,351,936, but 124,439,808 is declared"),
        ("E227", "`trainable` is 117,351,936, but 124,439,808 is declared"),
    ]
