"""The home of generated modules: `archspec.generated.HASH` is read from the user's cache folder."""

from __future__ import annotations

from archspec.lower.importing import install

install()
