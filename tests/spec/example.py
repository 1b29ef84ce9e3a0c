"""A small spec that tests change, and how they read what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import SpecError, render
from archspec.spec import Spec, load

SECTIONS = {
    "archspec": "archspec: 1",
    "name": "name: example",
    "constants": "constants: {d: 8}",
    "dims": "dims: {batch: [1, 2, 4], length: [1, 6, 16]}",
    "inputs": "inputs:\n  x: float[batch, length, d]",
    "graph": "graph:\n  y: {block: linear, input: x, dim: d}",
    "outputs": "outputs:\n  y: float[batch, length, d]",
}


def text_with(changes: str = "") -> str:
    """The example with whole sections replaced by those of `changes`, further ones at the end."""
    parts = [part.strip("\n") for part in re.split(r"(?m)^(?=\S)", changes) if part.strip()]
    given = {part.partition(":")[0]: part for part in parts}
    return "\n".join({**SECTIONS, **given}.values()) + "\n"


def spec_of(folder: Path, changes: str = "", **options: Any) -> Spec:
    """Load the example with changes."""
    path = folder / "spec.yaml"
    path.write_text(text_with(changes), encoding="utf-8")
    return load(path, **options)


def refusal(folder: Path, changes: str = "", **options: Any) -> str:
    """What is said when the example with changes is loaded, the file called `spec.yaml`."""
    with pytest.raises(SpecError) as raised:
        spec_of(folder, changes, **options)
    return render(raised.value.diagnostics).replace(f"{folder}/", "")
