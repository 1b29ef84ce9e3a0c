"""Sizes that do not go together are errors at the key of the configuration, not in the shipped spec behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import Diagnostic, SpecError
from archspec.interop import import_model
from archspec.interop.huggingface.model_type import MODEL_TYPES
from tests.interop.originals import configuration_class, small, write_configuration

pytest.importorskip("transformers")

WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "a window that does not fill a stage": ("swin", {"window_size": 7}, "E345"),
    "heads that do not divide the features": ("bert", {"num_attention_heads": 5}, "E340"),
    "heads of keys that do not divide the heads": ("llama", {"num_key_value_heads": 3}, "E340"),
    "patches that do not divide the image": ("vit", {"patch_size": 7}, "E349"),
}


def refused(word: str, changes: dict[str, Any], folder: Path) -> Diagnostic:
    """The first error of a small configuration with changes."""
    kind = MODEL_TYPES[word]
    values = json.loads(configuration_class(kind)(**small(kind, 0)).to_json_string(use_diff=False))
    with pytest.raises(SpecError) as raised:
        import_model(write_configuration(folder, {**values, **changes}), architecture=next(iter(kind.architectures)))
    return raised.value.diagnostics[0]


@pytest.mark.parametrize("name", WRONG)
def test_an_error_of_sizes_stands_at_the_key(name: str, tmp_path: Path) -> None:
    word, changes, code = WRONG[name]
    found = refused(word, changes, tmp_path)
    ((key, value),) = changes.items()
    assert found.code == code
    assert found.primary is not None
    place = found.primary.span
    assert place.source.name.endswith("config.json")
    assert place.text == str(value)
    line, _ = place.source.position(place.start)
    assert f'"{key}"' in place.source.line_text(line)
    # The shipped spec behind it has other sizes, which the user never saw.
    assert all(one.span.source.name == place.source.name for one in found.secondary)


def test_an_error_whose_place_names_no_key_says_whose_spec_it_is(tmp_path: Path) -> None:
    found = refused("gemma2", {"head_dim": 13}, tmp_path)
    assert "13" in found.message
    assert found.notes[-1] == "the configuration makes this of the shipped spec `gemma-2-2b`"
