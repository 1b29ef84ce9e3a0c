"""Import a GGUF file: its metadata, as the configuration of a model type, become a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import Span
from archspec.interop.gguf.configuration import GgufConfiguration, configuration
from archspec.interop.huggingface.imported import Imported, imported
from archspec.interop.huggingface.json_text import JsonValue
from archspec.weights.files import read_weights
from archspec.weights.gguf.reading import read_metadata


def import_gguf(path: Path, *, architecture: str | None = None, name: str | None = None) -> Imported:
    """Make a spec of the metadata of a GGUF file; of its tensors, their names and shapes are read.

    Args:
        path: the file.
        architecture: the class of transformers to take; left out, the one with a head.
        name: of the spec; left out, that of the file.

    Returns:
        the spec.

    Raises:
        SpecError: E523 or E604 as for weights, E806 to E808 for metadata, and those of `import_configuration`.
    """
    with read_weights(path) as tensors:
        made = configuration(path, read_metadata(path), tensors)
    return spec_of(made, path, architecture, name or _name(path))


def spec_of(made: GgufConfiguration, path: Path, architecture: str | None, name: str) -> Imported:
    """Make a spec of a configuration that the metadata of the file `path` gave. Raises SpecError as an import does."""
    members = {key: _given(key, value, made.places.get(key)) for key, value in made.values.items()}
    whole = JsonValue(name=path.name, value=dict(made.values), members=members)
    return imported(whole, architecture, name, {"weights.gguf.skip": list(made.skip)} if made.skip else {})


def _given(name: str, value: Any, place: Span | None) -> JsonValue:
    """A value of the configuration at the line of the metadata that tells it."""
    inner: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    members = {key: _given(key, one, place) for key, one in inner.items()}
    return JsonValue(name=name, value=value, key=place, span=place, members=members)


def _name(path: Path) -> str:
    """A name for the spec: that of the file, in characters that names may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.") or "imported"
