"""The text files that a bundle takes from a spec, and the names of its files."""

from __future__ import annotations

from archspec.lower.emission import emit
from archspec.model.checked import Checked
from archspec.spec.files import text_of
from archspec.spec.printing import printed

SPEC = "spec.yaml"
ORIGINAL = "spec.original.yaml"
MODULE = "model.py"
WEIGHTS = "model.safetensors"


def texts_of(checked: Checked) -> dict[str, str]:
    """Return the text files of a bundle by name: the resolved spec, the original one, and the emitted module."""
    spec = checked.spec
    resolved_text = printed(spec.resolved)
    return {SPEC: resolved_text, ORIGINAL: text_of(spec.path), MODULE: emit(checked)}
