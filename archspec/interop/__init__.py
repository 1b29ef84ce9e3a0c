"""In and out: models that exist become specs, and specs become files that others open."""

from __future__ import annotations

from archspec.interop.huggingface.imported import Imported
from archspec.interop.importing import import_model

__all__ = ["Imported", "import_model"]
