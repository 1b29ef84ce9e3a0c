"""The shipped specs whose code is not that of another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archspec.ir.printer import print_graph
from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir

OWN = {path.stem: path for path in sorted((Path(__file__).parent.parent / "contract" / "specs").glob("*.yaml"))}
"""Small specs of the tests' own, with masks of every kind."""
SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))

SIBLINGS = {
    "gemma-3-270m",
    "gpt-neo-125m",
    "llama-2-7b",
    "llama-3-8b",
    "opt-125m",
    "qwen2.5-0.5b",
    "qwen3-30b-a3b",
    "smollm2-135m",
    "smollm3-3b",
}
"""Specs that differ from llama-3.2-1b, gpt2, gemma-2-2b or mixtral-8x7b in numbers, or in options that others have."""
TWINS = {
    "bert-large",
    "convnext-tiny",
    "dinov2-small",
    "gpt2-xl",
    "phi-3-mini",
    "t5-small",
    "transformer-big",
    "vit-b16",
    "vit-b32",
    "vit-h14",
    "vit-l16",
}
"""Specs that are, when reduced, another one (see `same_as`)."""


def ranked(names: Iterable[str] = SHIPPED) -> list[Any]:
    """Names as parameters of a slow test, those left to long runs where another spec tells the same."""
    alike = SIBLINGS | TWINS
    long = [pytest.mark.slow, pytest.mark.long]
    return [pytest.param(name, marks=long if name in alike else pytest.mark.slow) for name in names]


def alone_in_kind(names: Iterable[str] = SHIPPED) -> list[Any]:
    """Names as parameters, those whose parts another spec has left to long runs."""
    alike = SIBLINGS | TWINS
    long = [pytest.mark.slow, pytest.mark.long]
    return [pytest.param(name, marks=long if name in alike else ()) for name in names]


def left_to_long(*names: str) -> list[Any]:
    """Names as parameters that only long runs try."""
    return [pytest.param(name, marks=pytest.mark.long) for name in names]


@cache
def same_as() -> dict[str, str]:
    """Specs that have, when reduced, the graph and the rules of another one, but for rates of dropout; and which."""
    first: dict[tuple[str, ...], str] = {}
    found = {}
    for name in SHIPPED:
        spec = load(name, reduced=True)
        text = re.sub(r"\b(dropout|rate)=[\d.]+", r"\1", print_graph(spec.graph).partition("\n")[2])
        owner = first.setdefault((text, *map(str, spec.rules)), name)
        if owner != name:
            found[name] = owner
    return found


def distinct() -> list[str]:
    """The others."""
    return [name for name in SHIPPED if name not in same_as()]


def decoders() -> list[str]:
    """Those of the others that decode."""
    return [name for name in distinct() if load(name, reduced=True).decode is not None]


def skip_if_same(name: str) -> None:
    """Skip a test on a spec whose code is tested under another name."""
    owner = same_as().get(name)
    if owner is not None:
        pytest.skip(f"reduced, it has the graph and the rules of {owner}")
