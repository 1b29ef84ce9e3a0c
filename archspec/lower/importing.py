"""Import of modules `archspec.generated.HASH` from the user's cache folder.

Instances of a class that can be imported by name can be pickled and sent to spawned processes, and tracebacks show its
source.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import CodeType, ModuleType

from archspec.lower.cache import path as stored_path
from archspec.lower.cache import read

PACKAGE = "archspec.generated"


class GeneratedLoader(InspectLoader):
    """Loads one generated module from a source that was checked when it was found, and is not read again."""

    def __init__(self, name: str, source: str) -> None:
        self._origin = str(stored_path(name))
        self._source = source

    def get_source(self, fullname: str) -> str:
        """The source, for tracebacks and the `inspect` module."""
        return self._source

    def get_filename(self, fullname: str) -> str:
        """The path of the file in the cache folder."""
        return self._origin

    def get_code(self, fullname: str) -> CodeType:
        """The compiled source. No bytecode is cached, because only the source is checked against its hash."""
        return self.source_to_code(self._source, self._origin)

    def is_package(self, fullname: str) -> bool:
        """False: a generated module is never a package."""
        return False


class GeneratedFinder(MetaPathFinder):
    """Finds `archspec.generated.HASH` if the file of that hash is in the cache folder and matches it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's import spec; None for other modules, and for a file that does not match its hash."""
        package, _, name = fullname.rpartition(".")
        source = read(name) if package == PACKAGE else None
        if source is None:
            return None
        loader = GeneratedLoader(name, source)
        spec = spec_from_loader(fullname, loader, origin=str(stored_path(name)))
        if spec is not None:
            # Sets `__file__` of the module.
            spec.has_location = True
        return spec


def install() -> None:
    """Register the finder of generated modules, unless it is registered already."""
    if not any(isinstance(finder, GeneratedFinder) for finder in sys.meta_path):
        sys.meta_path.append(GeneratedFinder())
