"""The registry finds primitives by their files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import archspec.ops
from archspec.ir.op import Primitive
from archspec.ops.linear.linear import Linear
from archspec.ops.registry import all_primitives


def test_names_lead_to_classes_in_order() -> None:
    found = all_primitives()
    assert found["linear"] is Linear
    assert list(found) == sorted(found)
    assert {name: op.name for name, op in found.items()} == {name: name for name in found}


BASES = {"Elementwise", "LastAxisNorm", "RowLookup", "Scaled", "ScoreBias"}
"""Classes that several ops share, and that are none."""


def test_every_subclass_in_the_package_is_there() -> None:
    folder = Path(archspec.ops.__file__).parent
    parents = {"Primitive", "Attention", *BASES}
    written = {
        found[1]
        for file in folder.rglob("*.py")
        for found in re.finditer(r"^class (\w+)\((\w+)\)", file.read_text(), re.MULTILINE)
        if found[2] in parents
    }
    assert {op.__name__ for op in all_primitives().values()} == written - BASES


def test_one_op_a_file() -> None:
    modules = [op.__module__ for op in all_primitives().values()]
    assert len(set(modules)) == len(modules)
    assert all(issubclass(op, Primitive) for op in all_primitives().values())


def test_primitives_load_without_numpy_and_torch() -> None:
    code = "import sys, archspec.ops.registry as r; r.all_primitives(); print({'numpy', 'torch'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
