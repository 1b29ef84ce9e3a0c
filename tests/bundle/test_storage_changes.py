"""What `diff` says of two bundles: how weights are stored, what is rounded, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from archspec.bundle.manifest import Manifest
from archspec.bundle.storage_changes import storage_changes
from tests.views.written_bundle import MANIFEST, QUANTISED


def manifest(**more: Any) -> Manifest:
    return Manifest.model_validate({**MANIFEST, "quantised": {**QUANTISED, **more}})


def told(before: Manifest, after: Manifest) -> list[str]:
    return [one.text for one in storage_changes(before, after)]


def test_formats_are_told_with_all_their_weights() -> None:
    formats = {"logits.weight": "int8", "ids.table": "int8", "states.layers.*.k.weight": "int8"}
    other = manifest(formats=formats, floats=["states.layers.*.q.weight"])
    assert told(manifest(), other) == [
        "weights: int4:32 -> float in `states.layers.*.q.weight`",
        "weights: int4:32 -> int8 in `states.layers.*.k.weight`",
        "weights: float -> int8 in `logits.weight`",
    ]
    first, *_ = storage_changes(manifest(), other)
    assert (first.kind, first.before, first.after) == ("stored", "int4:32", "float")
    assert first.places == ("states.layers.*.q.weight",)


def test_a_weight_that_one_of_them_has_not_is_no_change() -> None:
    other = manifest(formats={**QUANTISED["formats"], "more.weight": "int8"})
    assert told(manifest(), other) == [] == told(other, manifest())
    # A bundle that does not say what stays float has the rest as floats.
    assert told(manifest(floats=None), other) == ["weights: float -> int8 in `more.weight`"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"activations": {}}, "activations: int8 -> float in `states.layers.*.q`"),
        ({"kv_cache": None}, "cache: int8 -> float"),
        ({"rounding": {}}, "inputs rounded: onnx -> nowhere"),
    ],
)
def test_what_is_rounded_is_told(more: dict[str, Any], text: str) -> None:
    assert told(manifest(), manifest(**more)) == [text]


def test_losses_are_told_where_they_say_something() -> None:
    worse = {**QUANTISED["loss"], "kl": 0.5, "agreement": 0.25, "perplexity": [11.04, 20.0]}
    more = "same first choice 87.50% -> 25.00%, perplexity 12.06 -> 20, accuracy 43.75% -> 43.75%"
    assert told(manifest(), manifest(loss=worse)) == [f"loss on the <evil>.npz: kl 0.0123 -> 0.5, {more}"]
    rounding = {"onnx": {**QUANTISED["rounding"]["onnx"], "kl": 9.0}}
    (text,) = told(manifest(), manifest(rounding=rounding))
    assert text.startswith("loss of onnx, inputs rounded on ")
    assert "-> 9," in text
    # On other inputs, the loss of the same weights is another, and says nothing of them.
    assert told(manifest(), manifest(loss={**worse, "sha256": "9" * 64})) == []
    floats = Manifest.model_validate(MANIFEST)
    *_, last = told(floats, manifest())
    assert last.startswith("loss: not measured; now kl 0.0123, 87.50% of first choices among 1000 classes")
    assert told(floats, floats) == []
