"""What a spec says of itself, without elaborating it."""

from __future__ import annotations

from pathlib import Path

from archspec.spec.files import read_file
from archspec.text.nodes import TextNode


def describe(path: Path) -> str:
    """The `about` of a file; empty where it has none. Raises SpecError where it cannot be read."""
    about = read_file(path).get("about")
    return about.value if isinstance(about, TextNode) else ""
