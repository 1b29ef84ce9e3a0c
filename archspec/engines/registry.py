"""The engines by the word that a target begins with; each file of `archspec.engines.targets` defines one."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.engines.engine import Engine, NetworkEngine, Target
from archspec.model.ports import DTYPES, DTypeName


@cache
def engines() -> Mapping[str, Engine]:
    """Return one instance of every engine by its word. Raises TypeError for a file of `targets` without an engine."""
    package = "archspec.engines.targets"
    found = [_engine_in(f"{package}.{one.name}") for one in pkgutil.iter_modules(import_module(package).__path__)]
    return {engine.word: engine for engine in found}


def _engine_in(module: str) -> Engine:
    """Return the engine that a file defines itself; imported ones do not count."""
    for value in vars(import_module(module)).values():
        # A file may import other engines, as `torch_tensorrt` imports its base class.
        if isinstance(value, type) and issubclass(value, Engine) and value.__module__ == module:
            return value()
    raise TypeError(f"{module} defines no engine")


def engine_of(target: Target) -> Engine:
    """Return the engine that builds and opens a target."""
    return engines()[target.engine]


def compiling(targets: Sequence[Target]) -> tuple[str, ...]:
    """Return the words of the engines that compile a network for one of the targets, without duplicates."""
    engines = ((target, engine_of(target)) for target in targets)
    words = (engine.word for target, engine in engines if isinstance(engine, NetworkEngine) and engine.compiles(target))
    return tuple(dict.fromkeys(words))


def network_engine(word: str) -> NetworkEngine:
    """Return the engine of a word that `compiling` returned."""
    engine = engines()[word]
    assert isinstance(engine, NetworkEngine)
    return engine


def read_targets(texts: Sequence[str], dtype: str) -> tuple[Target, ...]:
    """Return the requested targets without duplicates, after checking that each can be built here.

    Raises SpecError: E601 for an unknown target, E602 for GPUs that cannot be targets, E603 for a dtype that a target
    does not support, E604 for a missing package, E611 for a missing compiler or GPU.
    """
    precision = read_dtype(dtype)
    found: dict[Target, None] = {}
    problems = Collector()
    for text in (part for joined in texts for part in separated(joined)):
        with problems.catching():
            for target in read_target(text):
                found.setdefault(target)
    for target in found:
        with problems.catching():
            engine_of(target).check(target, precision)
    problems.raise_if_errors()
    return tuple(found)


def check_profiles(targets: Sequence[Target], count: int) -> None:
    """Raise SpecError with an E625 for each target that cannot have `count` profiles."""
    problems = Collector()
    for target in targets:
        with problems.catching():
            engine_of(target).check_profiles(target, count)
    problems.raise_if_errors()


def read_dtype(text: str) -> DTypeName:
    """Return the precision that a text names. Raises SpecError E603."""
    for dtype in DTYPES:
        if dtype == text:
            return dtype
    help = did_you_mean(text, DTYPES, kind="dtypes")
    return fail("E603", f"unknown dtype `{text}`", None, help=help)


def separated(text: str) -> tuple[str, ...]:
    """Split targets at commas.

    Options may have commas too: `onnx,tensorrt-rtx:sm86,sm89` is two targets.
    """
    found: list[str] = []
    for part in (one.strip() for one in text.split(",")):
        # A part that is not an engine's word continues the options of the target before it.
        if found and ":" in found[-1] and part.partition(":")[0] not in engines():
            found[-1] += f",{part}"
        else:
            found.append(part)
    return tuple(found)


def read_target(text: str) -> tuple[Target, ...]:
    """Return the targets of one text: `onnx`, or `tensorrt-rtx:sm86,sm89`. Raises SpecError E601 or E602."""
    word, colon, options = text.partition(":")
    engine = engines().get(word)
    if engine is None:
        fail("E601", f"unknown target `{word}`", None, help=did_you_mean(word, engines(), kind="targets"))
    return engine.targets(options if colon else None)


def target_of(text: str) -> Target:
    """Return the target that `str(target)` wrote. Raises SpecError E601 or E602."""
    (target,) = read_target(text)
    return target
