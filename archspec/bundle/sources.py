"""What a bundle takes from a spec: its text files and its module, and the names of its files."""

from __future__ import annotations

from pathlib import Path

from archspec.engines.profiles import Profile
from archspec.engines.program import Program
from archspec.lower.emission import emit
from archspec.lower.naming import class_name
from archspec.model.checked import Checked
from archspec.model.ports import interface_of
from archspec.spec import Spec
from archspec.spec.files import OF_BUNDLE, text_of
from archspec.spec.printing import printed

SPEC = OF_BUNDLE
ORIGINAL = "spec.original.yaml"
MODULE = "model.py"
WEIGHTS = "model.safetensors"


def whole_program(spec: Spec, profiles: tuple[Profile, ...]) -> Program:
    """The emitted module of a spec; paths are relative to the folder of a bundle."""
    return Program(
        source=Path(MODULE),
        module=class_name(spec.name),
        weights=Path(WEIGHTS),
        interface=interface_of(spec),
        profiles=profiles,
    )


def texts_of(checked: Checked) -> dict[str, str]:
    """Return the text files of a bundle by name: the resolved spec, the original one, and the emitted module."""
    spec = checked.spec
    resolved_text = printed(spec.resolved)
    return {SPEC: resolved_text, ORIGINAL: text_of(spec.path), MODULE: emit(checked)}
