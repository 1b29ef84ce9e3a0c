"""The digest by which a bundle names the spec that it was built from."""

from __future__ import annotations

import json
from hashlib import sha256

from archspec.spec.inheritance import canonical
from archspec.text.nodes import MapNode


def digest(tree: MapNode) -> str:
    """The SHA-256 of a resolved document, in hex: of its texts, lists and maps, independent of YAML style."""
    return sha256(json.dumps(canonical(tree)).encode()).hexdigest()
