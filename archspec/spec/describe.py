"""Read the description of a spec without elaborating it."""

from __future__ import annotations

from pathlib import Path

from archspec.spec.files import read_file
from archspec.text.nodes import TextNode


def describe(path: Path) -> str:
    """The `about` of a file; empty if it has none. Raises SpecError if the file cannot be read."""
    about = read_file(path).get("about")
    return about.value if isinstance(about, TextNode) else ""
