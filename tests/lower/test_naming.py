"""Names in the emitted file."""

from __future__ import annotations

import keyword

import pytest
from torch import nn

from archspec.lower.naming import MODULE_NAMES, class_name, identifier, may_be_attribute, unused


def test_every_public_attribute_of_a_module_is_known() -> None:
    # Libraries that other tests load may hang methods of their own on nn.Module.
    found = {name: getattr(nn.Module, name, None) for name in dir(nn.Module()) if not name.startswith("_")}
    public = {
        name for name, value in found.items() if getattr(value, "__module__", None) in (None, nn.Module.__module__)
    }
    assert "register_buffer" in public
    assert public <= MODULE_NAMES


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("transformer-base", "TransformerBase"), ("vit-b16", "VitB16"), ("gpt2", "Gpt2"), ("3d.net", "Model3dNet")],
)
def test_class_names(name: str, wanted: str) -> None:
    assert class_name(name) == wanted


@pytest.mark.parametrize("text", ["layers.3.weights", "lambda", "3", "", "ä-b", "x y"])
def test_identifiers(text: str) -> None:
    found = identifier(text)
    assert found.isidentifier()
    assert not keyword.iskeyword(found)


def test_a_taken_name_gets_a_number() -> None:
    assert unused("x", {"y"}) == "x"
    assert unused("x", {"x", "x_2"}) == "x_3"


@pytest.mark.parametrize("name", ["train", "_q", "class", "1", "reset_parameters"])
def test_names_that_no_attribute_can_have(name: str) -> None:
    assert may_be_attribute("q")
    assert not may_be_attribute(name)
