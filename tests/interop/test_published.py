"""The configuration of each published size, imported, is the spec that ships: the same document and the exact count."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import Source
from archspec.interop import import_model
from archspec.spec import Spec, load
from archspec.spec.inheritance import inherited
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import ListNode, MapNode, Node, TextNode
from archspec.text.reader import read

FOLDER = Path(__file__).with_name("published")
"""Facts of the files that the models are published with; `num_labels` stands for the names of classes."""


def plain(node: Node, name: str = "") -> object:
    """A document without names, words, layouts of GGUF, typical batches and ends, and without the order of keys."""
    if isinstance(node, TextNode):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    left_out = {"name", "about", "extends", "gguf", "batch", "end"}
    values = {one.key.value: plain(one.value, one.key.value) for one in node.entries if one.key.value not in left_out}
    # A spec that extends another one switches off what the other one limits.
    return {key: value for key, value in values.items() if (key, value) != ("softcap", "none")}


def ends(spec: Spec) -> set[int]:
    """The ids that end a text."""
    return set() if spec.decode is None else set(spec.decode.end)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_the_import_of_a_published_configuration_is_the_shipped_spec(name: str) -> None:
    imported = import_model(FOLDER / f"{name}.json")
    made = read(Source("imported.yaml", imported.text))
    shipped = inherited(shipped_specs_dir() / f"{name}.yaml")
    assert isinstance(made, MapNode)
    assert plain(made) == plain(shipped)
    # The settings of generation, which are another file, may name further ends.
    assert ends(imported.spec) <= ends(load(name))
