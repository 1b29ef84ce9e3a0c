from __future__ import annotations

from typing import Any

import pytest

from archspec.diagnostics import Source, SpecError
from archspec.schema.merge import merge
from archspec.text.nodes import ListNode, MapNode, Node
from archspec.text.reader import read


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {entry.key.value: _plain(entry.value) for entry in node.entries}
    return [_plain(item) for item in node.items] if isinstance(node, ListNode) else node.value


def _merged(base: str, over: str) -> Any:
    return _plain(merge(read(Source("base", base)), read(Source("over", over))))


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("{a: 1, b: 2}", "{b: 3, c: 4}", {"a": "1", "b": "3", "c": "4"}),
        ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", {"a": {"b": "1", "c": "3"}}),
        ("{a: [1, 2, 3]}", "{a: [4]}", {"a": ["4"]}),
        ("{a: {b: 1}}", "{a: none}", {"a": "none"}),
        ("{a: none}", "{a: {b: 1}}", {"a": {"b": "1"}}),
        ("{n: {kind: p, b: 1}}", "{n: {kind: q}}", {"n": {"kind": "q"}}),
        ("{n: {kind: p, b: 1}}", "{n: {kind: p, c: 2}}", {"n": {"kind": "p", "b": "1", "c": "2"}}),
        ("{n: {kind: p, b: 1}}", "{n: {b: 2}}", {"n": {"kind": "p", "b": "2"}}),
        ("{n: {kind: p, b: 1}}", "{n: q}", {"n": "q"}),
        ("{residual: pre}", "{residual: {skip_scale: 2}}", {"residual": {"kind": "pre", "skip_scale": "2"}}),
        ("{residual: pre}", "{residual: {kind: post}}", {"residual": {"kind": "post"}}),
        ("{norm: true}", "{norm: {eps: 1}}", {"norm": {"eps": "1"}}),
        ("{y: x}", "{y: {block: norm}}", {"y": {"block": "norm"}}),
        ("{y: {block: norm, a: 1}}", "{y: {block: norm, a: 2}}", {"y": {"block": "norm", "a": "2"}}),
    ],
)
def test_a_map_is_laid_over_another(base: str, over: str, result: Any) -> None:
    assert _merged(base, over) == result


def test_a_block_may_not_change() -> None:
    with pytest.raises(SpecError) as raised:
        _merged("{graph: {y: {block: encoder}}}", "{graph: {y: {block: decoder}}}")
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E206", "`block` changes from `encoder` to `decoder`")
    assert found.primary is not None and found.primary.span.source.name == "over"
    assert [label.span.source.name for label in found.secondary] == ["base"]
