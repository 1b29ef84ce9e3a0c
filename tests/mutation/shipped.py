"""The shipped specs whose code is not that of another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archspec.ir.printer import print_graph
from archspec.spec import Spec, load
from archspec.spec.files import locate
from archspec.spec.shipped import shipped_specs_dir

OWN = {path.stem: path for path in sorted((Path(__file__).parent.parent / "contract" / "specs").glob("*.yaml"))}
"""Small specs of the tests' own, with masks of every kind."""
SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))

REPRESENTATIVES = {
    "bloom-560m",
    "clip-vit-b32",
    "conformer-m",
    "conformer-m-causal",
    "coatnet-0",
    "convnext-small",
    "deepseek-v3",
    "deit-s-distilled",
    "detr-resnet-50",
    "dinov2-base",
    "dinov3-small",
    "dit-xl-2",
    "gated-attention",
    "gemma-2-2b",
    "gpt-neo-125m",
    "gpt-oss-20b",
    "gpt2",
    "llama-3.2-1b",
    "minilm-l6",
    "mistral-7b",
    "mobilenet-v2",
    "modernbert-base",
    "mpnet-base",
    "opt-125m",
    "opus-mt-en-de",
    "prefix-lm-base",
    "resnet-50",
    "segformer-b0",
    "siglip-base",
    "swin-t",
    "t5-base",
    "transformer-base",
    "whisper-tiny",
}
"""Specs that together use every op in every way in which a shipped spec uses it (see `ways`); long runs try the rest.

A new spec belongs here only if the test of this list says so.
"""
MINUTES = {"detr-resnet-50"}
"""Representatives whose slow tests take minutes: long runs try these, too, and so what no other spec uses of them."""
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
"""Specs that are, when reduced, another one; what `same_as` finds, for collecting tests without reading every spec."""


def ranked(names: Iterable[str] = SHIPPED) -> list[Any]:
    """Names as parameters of a slow test, those left to long runs where another spec tells the same."""
    long = [pytest.mark.slow, pytest.mark.long]
    return [
        pytest.param(name, marks=pytest.mark.slow if _here(name) and name not in MINUTES else long) for name in names
    ]


def alone_in_kind(names: Iterable[str] = SHIPPED) -> list[Any]:
    """Names as parameters, those whose parts another spec has left to long runs."""
    long = [pytest.mark.slow, pytest.mark.long]
    return [pytest.param(name, marks=() if _here(name) else long) for name in names]


def _here(name: str) -> bool:
    return name in REPRESENTATIVES or name in OWN


def left_to_long(*names: str) -> list[Any]:
    """Names as parameters that only long runs try."""
    return [pytest.param(name, marks=pytest.mark.long) for name in names]


@cache
def reduced(name: str) -> Spec:
    """A shipped spec or one of the tests' own, read once."""
    return load(OWN.get(name, name), reduced=True)


@cache
def same_as() -> dict[str, str]:
    """Specs that have, when reduced, the graph and the rules of another one, but for rates of dropout; and which."""
    first: dict[tuple[str, ...], str] = {}
    found = {}
    for name in SHIPPED:
        spec = reduced(name)
        text = re.sub(r"\b(dropout|rate)=[\d.]+", r"\1", print_graph(spec.graph).partition("\n")[2])
        owner = first.setdefault((text, *map(str, spec.rules)), name)
        if owner != name:
            found[name] = owner
    return found


@cache
def ways(name: str) -> set[str]:
    """The ops of a spec, each with its options but for numbers, the kinds of its rules, and whether it decodes."""
    spec = reduced(name)
    lines = print_graph(spec.graph).splitlines()
    found = {_way(*parts) for line in lines for parts in re.findall(r"= (\w+)\([^)]*\)(.*) : ", line)}
    return found | {f"rule {rule.kind}" for rule in spec.rules} | ({"decode"} if spec.decode is not None else set())


def _way(op: str, rest: str) -> str:
    """An op with its options. Of calls and repeats the names are left out: what they hold has lines of its own."""
    if op in ("call", "repeat"):
        return f"{op} taps" if "taps=" in rest else op
    options = re.sub(r"@\S+|\[.*|\b(?:rate|dropout)=[\d.]+", "", rest)
    return op + re.sub(r"-?\d[\d.e-]*", "#", options).strip()


def distinct() -> list[str]:
    """The others."""
    return [name for name in SHIPPED if name not in TWINS]


def decoders() -> list[str]:
    """Those of the others that decode."""
    return [name for name in distinct() if _decodes(name)]


def _decodes(name: str) -> bool:
    """Whether a file, or the one that it extends, has the section that says how."""
    text = locate(name).read_text("utf-8")
    parent = re.search(r"^extends: (\S+)", text, re.MULTILINE)
    return re.search(r"^decode:", text, re.MULTILINE) is not None or (parent is not None and _decodes(parent[1]))


def skip_if_same(name: str) -> None:
    """Skip a test on a spec whose code is tested under another name."""
    if name in TWINS:
        pytest.skip("reduced, it has the graph and the rules of another spec")
