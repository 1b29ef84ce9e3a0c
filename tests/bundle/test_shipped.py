"""Every shipped architecture goes the whole way, at its reduced size."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec.bundle.bundle import Bundle
from archspec.bundle.manifest import Manifest
from archspec.bundle.verify import verify_bundle
from archspec.cli import cli
from archspec.engines.build import from_cache
from tests.mutation.shipped import left_to_long, ranked
from tests.steps import steps_here

CHANGING = {"report.json", "spec.original.yaml"}
"""Files that hold times, or what the user wrote: a rebuilding has others."""


def rebuilt(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, *options: str) -> Bundle:
    """The bundle that the manifest's command makes."""
    monkeypatch.chdir(bundle.path)
    program, *arguments = shlex.split(bundle.manifest.command)
    assert program == "archspec"
    done = CliRunner().invoke(cli, [*arguments, *options])
    assert done.exit_code == 0, done.output
    return archspec.open(bundle.path.parent / "rebuilt")


def assert_same(again: Manifest, first: Manifest) -> None:
    """The same files, but for those that hold times, and the same verdicts on the same spec."""
    promised = first.files.keys() - CHANGING
    assert {file: again.files[file] for file in promised} == {file: first.files[file] for file in promised}
    assert (again.spec_digest, again.verdicts) == (first.spec_digest, first.verdicts)


@pytest.mark.parametrize("name", ranked())
def test_a_shipped_spec_becomes_a_bundle_that_verifies_and_is_built_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with steps_here():
        bundle = archspec.build(archspec.load(name, reduced=True), tmp_path / "bundle")
        again = rebuilt(bundle, monkeypatch)
    assert [str(report) for report in verify_bundle(bundle) if not report.holds] == []
    assert {one.status for one in bundle.manifest.verdicts} <= {"proved", "wired"}
    assert bundle.manifest.unproved == []
    assert_same(again.manifest, bundle.manifest)
    # The cache answers only where spec, module, weights and options are the same.
    assert from_cache("onnx") in [stage.name for stage in again.report.stages]


@pytest.mark.slow
@pytest.mark.parametrize("name", left_to_long("gpt2", "transformer-base", "vit-b16"))
def test_what_is_built_again_is_the_same_bytes_without_the_cache(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `test_command.py` tells of a small encoder, and `test_seeds.py` of the bytes of a decoder."""
    bundle = archspec.build(archspec.load(name, reduced=True), tmp_path / "bundle", cache=False)
    assert_same(rebuilt(bundle, monkeypatch, "--no-cache").manifest, bundle.manifest)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "vit-b16", *left_to_long("transformer-base", "bert-base")])
def test_every_kind_of_shipped_spec_is_compiled_by_each_engine(name: str, tmp_path: Path) -> None:
    spec = archspec.load(name, reduced=True)
    engines = ["tensorrt-rtx:sm89"] if find_spec("tensorrt_rtx") else []
    with steps_here():
        bundle = archspec.build(spec, tmp_path / "bundle", targets=["onnx", *engines])
    assert [entry.verified for entry in bundle.manifest.artifacts] == [
        "executed",
        *["network-verified-cpu" for _ in engines],
    ]
    assert {trial.reference for trial in bundle.report.trials} == {"module", "interpreter"}
    assert max(one.largest for trial in bundle.report.trials for one in trial.differences) < 1e-5
    assert archspec.load(tmp_path / "bundle" / "spec.yaml").inputs.keys() == spec.inputs.keys()
