"""The weights of a quantised bundle, which no spec without its plan can take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from archspec.diagnostics import fail
from archspec.ir.storage import SCALE
from archspec.layouts.report import and_more
from archspec.spec.files import is_file, is_folder

PLAN = "quantised.json"
"""The file of a bundle that says which of its weights are integers; one of floats has none."""
_ROUNDED = re.compile(r"(?:.*[._])?(?:input|kept)(?:_\d+)?\.scale")
"""The name of a scale of what products read, or of what the cached step keeps."""


def check_floats_alone(ours: Iterable[str], theirs: Iterable[str], weights: str | Path | None) -> None:
    """Raise SpecError E521 for the weights of a quantised bundle: all of our own names, and scales beside them.

    Args:
        ours, theirs: the names of our parameters, and those in the weights.
        weights: the file or folder that they are in, if any, beside which the plan of the bundle is looked for.
    """
    own, given = {*ours}, {*theirs}
    scales = sorted(given - own)
    if not scales or not own <= given or not all(_is_scale(name, own) for name in scales):
        return
    notes = [f"scales lie beside them: `{scales[0]}`{and_more(scales)}"]
    fail("E521", "these are the weights of a quantised bundle", None, notes=notes, help=_help(weights))


def _is_scale(name: str, own: set[str]) -> bool:
    return (name.endswith(SCALE) and name.removesuffix(SCALE) in own) or _ROUNDED.fullmatch(name) is not None


def _help(weights: str | Path | None) -> str:
    """Which command takes them."""
    if weights is not None:
        folder = Path(weights) if is_folder(Path(weights)) else Path(weights).parent
        if is_file(folder / PLAN):
            return f"build with `--quantise {folder / PLAN}`, or give the bundle `{folder}` in place of the spec"
    return f"build with `--quantise` and the {PLAN} of the bundle, or give the bundle in place of the spec"
