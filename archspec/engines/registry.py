"""The engines by the word that a target begins with."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.engines.engine import DTYPES, DTypeName, Engine, Target
from archspec.engines.inductor import Inductor
from archspec.engines.onnx import Onnx
from archspec.engines.openvino import OpenVINO
from archspec.engines.tensorrt_rtx import TensorRTRTX

ENGINES: dict[str, Engine] = {engine.word: engine for engine in (Onnx(), OpenVINO(), Inductor(), TensorRTRTX())}


def engine_of(target: Target) -> Engine:
    """The engine that builds and opens a target."""
    return ENGINES[target.engine]


def read_targets(texts: Sequence[str], dtype: str) -> tuple[Target, ...]:
    """The targets that are asked for, each once, after every one was found to be possible here.

    Raises SpecError: E601 for an unknown target, E602 for GPUs that are no target, E603 for a dtype that one does not
    take, E604 for a missing package.
    """
    precision = read_dtype(dtype)
    found: dict[Target, None] = {}
    problems = Collector()
    for text in texts:
        with problems.catching():
            for target in read_target(text):
                found.setdefault(target)
    for target in found:
        with problems.catching():
            engine_of(target).check(target, precision)
    problems.raise_if_errors()
    return tuple(found)


def read_dtype(text: str) -> DTypeName:
    """The precision that a text names. Raises SpecError E603."""
    for dtype in DTYPES:
        if dtype == text:
            return dtype
    help = did_you_mean(text, DTYPES, kind="dtypes")
    return fail("E603", f"unknown dtype `{text}`", None, help=help)


def read_target(text: str) -> tuple[Target, ...]:
    """The targets of one text: `onnx`, or `tensorrt-rtx:sm86,sm89`. Raises SpecError E601 or E602."""
    word, colon, options = text.partition(":")
    engine = ENGINES.get(word)
    if engine is None:
        fail("E601", f"unknown target `{word}`", None, help=did_you_mean(word, ENGINES, kind="targets"))
    return engine.targets(options if colon else None)


def target_of(text: str) -> Target:
    """The one target of a text that a target was written as. Raises SpecError E601 or E602."""
    (target,) = read_target(text)
    return target
