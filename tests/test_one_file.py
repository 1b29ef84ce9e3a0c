"""What adding costs: an op, a block, a target and a model type, each added by one file in a temporary package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.blocks.registry import blocks
from archspec.engines.registry import engines
from archspec.interop import import_model
from archspec.ops.registry import all_primitives
from archspec.oracle.interpreter import interpret

OP = '''"""Each element times itself."""

from collections.abc import Mapping, Sequence

from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record


@record
class Squared(Elementwise):
    """`y = x * x`."""

    name = "squared"

    def reference(self, inputs, parameters, sizes):
        return (inputs[0] ** 2,)

    def emit(self, e, inputs, parameters):
        return (f"torch.square({inputs[0]})",)
'''
BLOCK = '''"""The block `square`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ops.squared import Squared
from archspec.schema.sorts import ValueField


class SquareBlock(Block):
    """Each element times itself."""

    block: ClassVar[str] = "square"

    input: ValueField = Field(description="float[...]")

    def build(self, cx: Context) -> Built:
        return Built(main=cx.leaf(Squared(), cx.value(self.input)))
'''
TARGET = '''"""The target `plain`: the exported program as it is."""

from archspec.engines.targets.onnx import Onnx


class Plain(Onnx):
    """ONNX under another word."""

    word = "plain"
'''
MODEL_TYPE = '''"""The model type `narrow`."""

from archspec.interop.huggingface.keys import size
from archspec.interop.huggingface.model_type import Architecture, ModelType


class Narrow(ModelType):
    """GPT-2, of which only the width is said."""

    word = "narrow"
    about = "Narrow models"
    base = "gpt2"
    inputs = {"ids": "input_ids"}
    architectures = {"NarrowModel": Architecture(outputs={"logits": "logits"})}
    keys = {"width": size("constants.d_model")}
    defaults = {"width": 768}
    small = ({"width": 24},)
'''
SPEC = """archspec: 1
name: squares
dims: {batch: [1, 2, 4], length: [1, 3, 8]}
inputs:
  x: float[batch, length, 4]
graph:
  y: {block: square, input: x}
outputs:
  y: float[batch, length, 4]
rules:
  - causal: {output: y, input: x}
"""
FILES = {
    "ops": ("squared", OP),
    "blocks": ("square", BLOCK),
    "engines.targets": ("plain", TARGET),
    "interop.huggingface.types": ("narrow", MODEL_TYPE),
}


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One file more in each of three packages, in this process and in those that it starts."""
    lines = []
    for package, (stem, text) in FILES.items():
        folder = tmp_path / package
        folder.mkdir()
        (folder / f"{stem}.py").write_text(text)
        home = import_module(f"archspec.{package}")
        monkeypatch.setattr(home, "__path__", [*home.__path__, str(folder)])
        lines.append(f"import archspec.{package} as p; p.__path__.append({str(folder)!r})")
    (tmp_path / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    registries = (all_primitives, blocks, engines)
    for registry in registries:
        registry.cache_clear()
    yield tmp_path
    for registry in registries:
        registry.cache_clear()
    for package, (stem, _) in FILES.items():
        sys.modules.pop(f"archspec.{package}.{stem}", None)


@pytest.fixture
def spec(added: Path) -> Path:
    file = added / "squares.yaml"
    file.write_text(SPEC)
    return file


def test_an_op_and_a_block_are_one_file_each(spec: Path) -> None:
    assert "squared" in all_primitives()
    assert "square" in blocks()
    report = archspec.check(spec)
    assert [verdict.status for verdict in report.verdicts] == ["proved", "proved"]
    x = np.linspace(-2, 2, 24).reshape(2, 3, 4)
    np.testing.assert_allclose(interpret(report.spec.graph, {"x": x}, {})["y"], x * x)


def test_an_op_that_tells_no_trait_is_unknown_until_it_is_measured(spec: Path) -> None:
    rules = "  - affine: {output: y, input: x}\n  - receptive_field: {output: y, input: x, at_most: 1}\n"
    spec.write_text(SPEC + rules)
    affine, field = archspec.check(spec).verdicts[1:3]
    assert (affine.status, field.status) == ("violated", "proved")
    assert affine.explanation == "`y` does not say how its result depends on what it reads"


def test_a_model_type_is_one_file(added: Path) -> None:
    (added / "config.json").write_text('{"model_type": "narrow", "architectures": ["NarrowModel"], "width": 24}')
    made = import_model(added)
    assert made.spec.graph.outputs[0].type.shape == archspec.load("gpt2").graph.outputs[0].type.shape
    assert "d_model: 24" in made.text


@pytest.mark.slow
def test_a_target_is_one_file(spec: Path, tmp_path: Path) -> None:
    bundle = archspec.build(spec, tmp_path / "bundle", targets=["plain"], cache=False)
    assert [entry.target for entry in bundle.manifest.artifacts] == ["plain"]
    x = np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_allclose(bundle.run({"x": x})["y"], x * x, rtol=1e-6)


@pytest.mark.parametrize(("package", "text"), [("blocks", "ENGINE = 1"), ("engines.targets", "BLOCK = 1")])
def test_a_file_without_one_is_an_error(added: Path, package: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (added / package / "empty.py").write_text(text)
    with pytest.raises(TypeError, match="empty"):
        blocks()["empty"] if package == "blocks" else engines()
    sys.modules.pop(f"archspec.{package}.empty", None)
