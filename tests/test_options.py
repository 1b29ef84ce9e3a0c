"""Every option of the language has a test that tries it against something independent."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from archspec.diagnostics import Source
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.options import ROOT, models, option, options, owner_of, recording

SPEC = """
archspec: 1
name: small
dims: {batch: [1, 2, 4], n: [1, 6, 8]}
inputs:
  x: float[batch, n, 8]
graph:
  y:
    block: encoder
    input: x * 2
    layers: 1
    residual: bare
    attention: {heads: 2, mask: last(3) & causal, bias: [q], qk_norm: {norm: rms_norm, over: head}}
    feed_forward: none
outputs:
  y: float[batch, n, 8]
"""


@cache
def marks() -> dict[str, list[str]]:
    """The options of every marked test of the project, by its id."""
    made = subprocess.run([sys.executable, "-m", "tests.options"], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(made.stdout)
    return found


def test_every_option_is_tried() -> None:
    tried = {name for names in marks().values() for name in names}
    assert sorted(options() - tried) == []


def test_every_mark_names_an_option() -> None:
    known = options()
    assert {test: sorted(set(names) - known) for test, names in marks().items() if set(names) - known} == {}


def used(text: str = SPEC) -> set[str]:
    with recording() as found:
        elaborate(read(Source("small.yaml", text)), path=Path("small.yaml"))
    return found


def test_what_a_spec_holds_is_recorded() -> None:
    found = used()
    assert found <= options()
    assert {"attention.heads", "attention.bias=q", "residual.kind=bare", "stack.feed_forward=none"} <= found
    assert {"qk_norm.over=head", "qk_norm.norm", "norm.kind=rms_norm", "mask.last", "mask.&", "value.*"} <= found
    # What is left out is tried as the off or the false that it stands for.
    assert {"attention.sink=none", "stack.share=false", "attention.pre_norm=true"} <= found
    assert not found & {"attention.bias=k", "attention.bias=true", "attention.scale", "attention.sink=zero", "mask.all"}
    assert not found & {"stack.norm=none", "stack.norm", "qk_norm.over=all", "value.exp", "mask.|"}


def test_nothing_is_recorded_afterwards() -> None:
    with recording() as found:
        pass
    used()
    assert found == set()


def test_fields_of_models_are_options_of_the_block_that_declares_them() -> None:
    known = {model.__name__: model for model in models()}
    assert owner_of(known["DecoderBlock"], "layers") == owner_of(known["EncoderBlock"], "layers") == "stack"
    assert owner_of(known["AvgPoolBlock"], "padding") == "avg_pool"
    assert owner_of(known["CrossAttentionFields"], "heads") == "attention"
    assert {"FileModel", "NormFields", "CausalFields", "ExpertsFields", "InitFields", "LinearBlock"} <= set(known)


@option("residual.kind=bare", "attention.{field}")
@pytest.mark.parametrize("field", ["heads", "bias=q"])
def test_a_mark_may_name_a_parameter(field: str) -> None:
    assert f"attention.{field}" in used()


def test_a_mark_without_a_trial_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_call, pytest_runtest_protocol\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\nfrom tests.test_options import used\n"
        "@pytest.mark.option('attention.sink=zero')\ndef test_idle(): used()\n"
        "@pytest.mark.option('attention.sink=none')\ndef test_good(): used()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    made = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in made.stdout
    assert "marked with options that it does not try: attention.sink=zero" in made.stdout
