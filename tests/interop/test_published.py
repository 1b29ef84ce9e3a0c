"""The configuration of each published size, imported, is the spec that ships: the same document and the exact count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archspec.analyses.cost import cost
from archspec.diagnostics import Source, SpecError
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


MORE = {
    "modernbert-base": "takes packed texts, which no class of transformers has as an input",
    "segformer-b0": "also gives scores at the size of the image, and two stages",
}
"""Shipped specs that compute the same from the same tensors, and say more."""


@pytest.mark.parametrize("name", MORE)
def test_shipped_specs_that_say_more_have_the_parameters_of_the_import(name: str) -> None:
    made, shipped = import_model(FOLDER / f"{name}.json").spec, load(name)
    assert shipped.counts is not None
    assert cost(made.graph).parameters == shipped.counts.parameters


@pytest.mark.parametrize("name", sorted({path.stem for path in FOLDER.glob("*.json")} - MORE.keys()))
def test_the_import_of_a_published_configuration_is_the_shipped_spec(name: str) -> None:
    imported = import_model(FOLDER / f"{name}.json")
    made = read(Source("imported.yaml", imported.text))
    shipped = inherited(shipped_specs_dir() / f"{name}.yaml")
    assert isinstance(made, MapNode)
    assert plain(made) == plain(shipped)
    # The settings of generation, which are another file, may name further ends.
    assert ends(imported.spec) <= ends(load(name))


OTHER_FILES: dict[str, dict[str, Any]] = {
    "gpt2": {"_num_labels": 1, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}},
    "opus-mt-en-de": {"_num_labels": 3, "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}},
    "deepseek-v3": {"aux_loss_alpha": 0.001, "seq_aux": True},
    "phi-3-mini": {"full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False, "mlp_bias": False},
}
"""Keys that files of the same types hold besides: distilgpt2, other translators, early DeepSeek-V3, Phi-4 mini."""


@pytest.mark.parametrize("name", OTHER_FILES)
def test_keys_of_other_published_files_change_nothing(name: str, tmp_path: Path) -> None:
    given = json.loads((FOLDER / f"{name}.json").read_text())
    (tmp_path / f"{name}.json").write_text(json.dumps({**given, **OTHER_FILES[name]}))
    texts = {import_model(folder / f"{name}.json", name=name).text for folder in (FOLDER, tmp_path)}
    assert len(texts) == 1


def test_as_many_classes_as_labels(tmp_path: Path) -> None:
    """Versions of transformers differ in which of the two they go by."""
    given = {**json.loads((FOLDER / "vit-b16.json").read_text()), "id2label": {"0": "cat", "1": "dog"}}
    for said, is_refused in ((2, False), (3, True)):
        (tmp_path / "config.json").write_text(json.dumps({**given, "num_labels": said}))
        if not is_refused:
            assert "classes: 2" in import_model(tmp_path).text
            continue
        with pytest.raises(SpecError, match="`num_labels` is 3: `id2label` has 2 labels"):
            import_model(tmp_path)
