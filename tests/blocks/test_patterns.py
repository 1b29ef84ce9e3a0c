from __future__ import annotations

from itertools import cycle, islice

from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import SpecError
from archspec.ir.repeat import Repeat
from archspec.spec.spec import Spec
from tests.blocks.surroundings import complaints, shapes, trial
from tests.editing import edited
from tests.options import option

NODE = """
block: encoder
input: x
layers: {layers}
residual: bare
attention: {{heads: 4}}
feed_forward: {{hidden: 8, activation: relu, bias: false}}
kinds:
  a: {{attention: {{mask: all}}, feed_forward: {{hidden: 1}}}}
  b: {{attention: {{mask: causal}}, feed_forward: {{hidden: 2}}}}
  c: {{attention: none, feed_forward: {{hidden: 3}}}}
pattern: {pattern}
"""
NAMES = st.sampled_from("abc")


def _layers(spec: Spec) -> list[int]:
    """The hidden features of every layer, which tell its kind."""
    found = {name: shape for name, shape in shapes(spec).items() if name.endswith("up.weight")}
    return [shape[0] or 0 for _, shape in sorted(found.items(), key=lambda item: int(item[0].split(".")[1]))]


def _all_named(*parts: list[str]) -> bool:
    return {name for part in parts for name in part} == {"a", "b", "c"}


@option("stack.kinds", "stack.pattern", "pattern.repeat", "sublayers.attention=none")
@given(st.lists(NAMES, min_size=3, max_size=5).filter(_all_named), st.integers(1, 12))
def test_a_list_is_repeated_and_cut(pattern: list[str], layers: int) -> None:
    spec = trial(NODE.format(layers=layers, pattern=f"[{', '.join(pattern)}]"))
    assert _layers(spec) == [" abc".index(name) for name in islice(cycle(pattern), layers)]


@given(st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3), st.integers(1, 12))
def test_parts_fill_the_layers_exactly_or_are_refused(
    start: list[str], repeat: list[str], end: list[str], layers: int
) -> None:
    expected = [
        [*start, *repeat * times, *end] for times in range(13) if len(start) + len(repeat) * times + len(end) == layers
    ]
    parts = ", ".join(
        f"{key}: [{', '.join(names)}]" for key, names in {"start": start, "repeat": repeat, "end": end}.items()
    )
    node = NODE.format(layers=layers, pattern=f"{{{parts}}}")
    try:
        spec = trial(node)
    except SpecError as error:
        assert [found.code for found in error.diagnostics if found.severity == "error"] == ["E245"]
        assert not expected or not _all_named(start, repeat, end)
    else:
        assert _layers(spec) == [" abc".index(name) for name in expected[0]]


@option("stack.kinds", "sublayers.attention", "sublayers.feed_forward")
def test_a_kind_merges_over_the_fields_above() -> None:
    node = """
block: encoder
input: x
layers: 3
residual: bare
attention: {heads: 4, mask: all, bias: false}
feed_forward: {hidden: 8, activation: relu, bias: false}
kinds:
  local: {attention: {mask: within(2), kv_heads: 2}}
  dense: {attention: none}
pattern: [local, dense]
"""
    spec = trial(node)
    assert {name: shape for name, shape in shapes(spec).items() if "attention" in name} == {
        f"layers.{layer}.attention.{name}.weight": shape
        for layer in (0, 2)
        for name, shape in (("q", (64, 64)), ("k", (32, 64)), ("v", (32, 64)), ("out", (64, 64)))
    }
    (repeat,) = (node.op for node in spec.graph.walk() if isinstance(node.op, Repeat))
    assert repeat.kinds == ("LocalEncoderLayer", "DenseEncoderLayer")
    assert list(repeat.schedule) == [0, 1, 0]


def test_shared_kinds_hold_one_set_each() -> None:
    node = NODE.format(layers=7, pattern="[a, b, c]") + "share: true\n"
    layers = {name.split(".")[1] for name in shapes(trial(node))}
    assert layers == {"0", "1", "2"}


def test_a_long_stack_is_as_small_as_a_short_one() -> None:
    counts = []
    for layers in (10, 1000):
        spec = trial(NODE.format(layers=layers, pattern="[a, b, c]"))
        counts.append(sum(1 for _ in spec.graph.walk()))
    assert counts[0] == counts[1]


def test_kinds_and_patterns_that_do_not_fit() -> None:
    assert complaints(NODE.format(layers=4, pattern="[a, b, d, c]")) == [("E245", "unknown kind `d`", "d")]
    assert complaints(NODE.format(layers=4, pattern="[a, b]")) == [("E245", "kind `c` is not in the pattern", "[a, b]")]
    fit = "the pattern does not fill 4 layers: 1 + 3 * n + 0"
    assert complaints(NODE.format(layers=4, pattern="{start: [a], repeat: [a, b, c]}")) == []
    assert complaints(NODE.format(layers=6, pattern="{start: [a], repeat: [a, b, c]}")) == [
        ("E245", edited(fit, ("4", "6")), "pattern")
    ]
    without = edited(NODE.format(layers=4, pattern="[a]"), ("pattern: [a]\n", ""))
    assert ("E242", "`kinds` needs `pattern`", "kinds") in complaints(without)
