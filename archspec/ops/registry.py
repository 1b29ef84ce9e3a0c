"""Every primitive there is: the modules of this package and its families are read, so a new op is one new file."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from inspect import isabstract

from archspec.ir.op import Primitive


@cache
def all_primitives() -> dict[str, type[Primitive]]:
    """The classes of all primitives by name, in the order of their names. Imports every module of the package.

    Raises ValueError if two primitives have the same name.
    """
    found: dict[str, type[Primitive]] = {}
    for module in pkgutil.walk_packages(import_module("archspec.ops").__path__, "archspec.ops."):
        for primitive in _primitives_of(module.name):
            if primitive.name in found:
                raise ValueError(f"two primitives are called {primitive.name}")
            found[primitive.name] = primitive
    return dict(sorted(found.items()))


def _primitives_of(module: str) -> list[type[Primitive]]:
    """The primitives that a module defines itself, without abstract bases and those that it only imports."""
    classes = [value for value in vars(import_module(module)).values() if isinstance(value, type)]
    own = [found for found in classes if issubclass(found, Primitive) and found.__module__ == module]
    return [found for found in own if not isabstract(found)]
