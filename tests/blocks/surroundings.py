"""A small spec in which one node is tried: inputs of every sort, and the node `y`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archspec.analyses.parameters import expand
from archspec.diagnostics import Source, SpecError, render
from archspec.ir.graph import Value
from archspec.oracle.interpreter import interpret
from archspec.spec.elaborate import elaborate
from archspec.spec.spec import Spec
from archspec.text.reader import read

HEAD = """\
archspec: 1
name: trial
constants: {vocab: 100, d: 64, heads: 4}
dims:
  batch: [1, 2, 4]
  n: [2, 16, 32]
"""
DIMS = {"m": "[2, 8, 16]", "side": "{min: 16, typical: 32, max: 64, multiple: 16}"}
INPUTS = {
    "ids": "int64[batch, n] < vocab",
    "sorts": "int64[batch, n] < 2",
    "places": "int64[batch, n] < 32",
    "spot": "int64[batch] < 2",
    "valid": "bool[batch, n]",
    "x": "float[batch, n, d]",
    "memory": "float[batch, m, 48]",
    "pixels": "float[batch, 3, 32, 48]",
    "large": "float[batch, 3, side, side]",
    "masked": "bool[batch, 6]",
    "nudge": "float[batch, 1, n, n]",
    "gain": "float[n, n]",
}
ALWAYS = ("ids", "x")
TAIL = """
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d}
  z: x * 2
outputs:
  z: float[batch, n, d]
"""


def document(node: str, defaults: str = "") -> str:
    """The text of the spec with the node `y`, given in block style or in braces."""
    indented = "\n".join(f"    {line}" for line in node.strip().splitlines())
    used = {*ALWAYS, *re.findall(r"\w+", node)}
    inputs = "".join(f"  {name}: {type_}\n" for name, type_ in INPUTS.items() if name in used)
    dims = "".join(f"  {name}: {sizes}\n" for name, sizes in DIMS.items() if re.search(rf"\b{name}\b", inputs))
    given = f"defaults: {defaults}\n" if defaults else ""
    return f"{HEAD}{dims}inputs:\n{inputs}{given}graph:\n  y:\n{indented}{TAIL}"


def trial(node: str, defaults: str = "", output: str = "") -> Spec:
    """The spec with the node `y`, which is an output too where its type is given."""
    text = document(node, defaults)
    tree = read(Source("trial.yaml", text + (f"  y: {output}\n" if output else "")))
    return elaborate(tree, path=Path("trial.yaml"))


def refusal(node: str, defaults: str = "") -> str:
    """The rendered message of a node that is refused, with its line numbers as they are."""
    try:
        trial(node, defaults)
    except SpecError as error:
        return render(found for found in error.diagnostics if found.severity == "error")
    raise AssertionError("nothing was refused")


def complaints(node: str, defaults: str = "") -> list[tuple[str, str, str]]:
    """Code, message and marked text of everything that is refused."""
    try:
        trial(node, defaults)
    except SpecError as error:
        return [
            (found.code, found.message, "" if found.primary is None else found.primary.span.text)
            for found in error.diagnostics
            if found.severity == "error"
        ]
    return []


def shapes(spec: Spec, prefix: str = "y.") -> dict[str, tuple[int | None, ...]]:
    """Real names of the node's parameters, without its own, and their shapes."""
    return {
        name.removeprefix(prefix): tuple(size.constant for size in parameter.type.shape)
        for name, parameter in expand(spec.graph).items()
        if name.startswith(prefix)
    }


def type_of(spec: Spec, name: str = "y") -> str:
    """The type of a value, as text."""
    value: Value = spec.values[name]
    return str(value.type)


class Trial:
    """A node run on random numbers: its parameters, its inputs, its result, all float64."""

    def __init__(self, node: str, output: str, defaults: str = "", inputs: Mapping[str, Any] | None = None) -> None:
        rng = np.random.default_rng(0)
        self.spec = trial(node, defaults, output)
        given = {**_inputs(rng), **(inputs or {})}
        self.inputs = {name: given[name] for name in self.spec.inputs}
        everything = {
            name: rng.normal(0, 0.3, [size.constant for size in parameter.type.shape])
            for name, parameter in expand(self.spec.graph).items()
        }
        self.parameters = {name.removeprefix("y."): array for name, array in everything.items()}
        self.result = interpret(self.spec.graph, self.inputs, everything)["y"]

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]


def _inputs(rng: np.random.Generator) -> dict[str, Any]:
    valid = np.ones((2, 5), bool)
    valid[1, 3:] = False
    return {
        "ids": rng.integers(0, 100, (2, 5)),
        "sorts": rng.integers(0, 2, (2, 5)),
        "places": rng.integers(0, 32, (2, 5)),
        "spot": np.array([1, 0]),
        "valid": valid,
        "x": rng.normal(size=(2, 5, 64)),
        "memory": rng.normal(size=(2, 7, 48)),
        "pixels": rng.normal(size=(2, 3, 32, 48)),
        "large": rng.normal(size=(2, 3, 32, 32)),
        "masked": rng.random((2, 6)) < 0.5,
    }
