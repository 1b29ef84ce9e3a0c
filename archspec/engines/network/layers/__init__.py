"""One function for each kind of layer; importing this package registers those of all files in it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from archspec.engines.network.functions import FUNCTIONS, MOVERS

__all__ = ["FUNCTIONS", "MOVERS"]

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
