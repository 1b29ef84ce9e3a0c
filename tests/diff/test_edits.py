"""Random edits of shipped specs: one that changes the graph shows, and one that does not is no change.

What a graph is, is told by its text form, which the comparison does not use.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from random import Random

import pytest

from archspec.analyses.cost import cost
from archspec.checking import Report
from archspec.diagnostics import SpecError
from archspec.diff import compare_meaning
from archspec.ir.printer import print_graph
from archspec.spec import Spec, load
from archspec.spec.printing import printed
from tests.edits.text_edits import TEXT_EDITS
from tests.edits.tree_edits import edit_tree
from tests.mutation.shipped import SHIPPED

HERE, ALL = 120, 1500
PARTS = 3
ABOUT = {"rule", "weights"}
_ITSELF = re.compile(r"(?<![\w.*/-])([\w.*/-]+) -> \1(?![\w.*/-])")


def unjudged(spec: Spec) -> Report:
    return Report(spec=spec, cost=cost(spec.graph), verdicts=(), diagnostics=())


@cache
def shipped(name: str) -> tuple[Spec, str]:
    """A small copy, and its text without counts and layouts."""
    spec = load(name, reduced=True)
    text = re.sub(r"(?m)^counts:.*\n", "", printed(spec.resolved)).partition("\nweights:")[0] + "\n"
    return spec, text


def facts(spec: Spec) -> Hashable:
    """All that callers, training and the interpreter see of a spec, with its names."""
    parameters = (one for node in spec.graph.walk() for one in node.parameters.values())
    return (
        print_graph(spec.graph).partition("\n")[2],
        tuple(spec.dims.values()),
        tuple((one.name, str(one.type), str(one.default), one.padding, one.sorted) for one in spec.inputs.values()),
        tuple((name, str(value.type)) for name, value in spec.outputs.items()),
        spec.decode,
        tuple((one.path, str(one.init), one.trainable) for one in parameters),
    )


def fault(number: int, path: Path) -> str:
    """What is wrong with what is said of an edit; "refused" where it is no spec, "" where nothing is wrong."""
    chance = Random(f"edit {number}")
    spec, text = shipped(chance.choice(SHIPPED))
    edited = edit_tree(text, chance) if chance.random() < 0.6 else chance.choice(TEXT_EDITS)(text, chance)
    path.write_bytes(edited.encode("utf-8", "surrogatepass"))
    try:
        other = load(path)
    except SpecError:
        return "refused"
    found = compare_meaning(unjudged(spec), unjudged(other))
    told = [one.text for one in found.changes if one.kind not in ABOUT]
    if any(_ITSELF.search(one) for one in told):
        return f"edit {number} of {spec.name} makes something what it was: {told}"
    same = facts(spec) == facts(other)
    if same and (told or found.renamed or found.checkpoint.moves):
        return f"edit {number} of {spec.name} changes nothing, but: {told} {found.renamed}"
    # Names alone may differ, and are then told.
    if not same and not told and not found.renamed:
        return f"edit {number} of {spec.name} changes the graph, and nothing is said"
    return ""


def faults(numbers: range, folder: Path) -> list[str]:
    found = [fault(number, folder / "edited.yaml") for number in numbers]
    assert 0 < found.count("") < len(found)
    return [one for one in found if one not in ("", "refused")]


def test_random_edits(tmp_path: Path) -> None:
    assert faults(range(HERE), tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_more_random_edits(part: int, tmp_path: Path) -> None:
    assert faults(range(HERE + part, ALL, PARTS), tmp_path) == []
