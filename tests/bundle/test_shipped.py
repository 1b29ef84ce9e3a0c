"""Every shipped architecture goes the whole way, at its reduced size."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec.bundle import verify
from archspec.bundle.bundle import Bundle
from archspec.bundle.bundled_spec import bundled_claims
from archspec.bundle.manifest import Manifest
from archspec.bundle.sources import whole_program
from archspec.bundle.verify import verify_bundle
from archspec.cli import cli
from archspec.contract.fill import fill
from archspec.contract.report import ContractReport
from archspec.engines.build import from_cache
from archspec.engines.rtx.parsing import parse
from tests.engines.network.judging import Lowered
from tests.engines.network.test_shipped import holds_and_compiles
from tests.mutation.shipped import TWINS, left_to_long, ranked
from tests.steps import steps_here

MODULES = {"gpt2", "swin-t"}
"""Specs whose module is verified as that of a bundle; `tests/contract/test_shipped.py` verifies that of every spec."""
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
    """With parameters of which none is zero or one; the network that TensorRT reads from its file holds, too."""
    spec = archspec.load(name, reduced=True)
    with steps_here():
        bundle = archspec.build(spec, tmp_path / "bundle", weights=fill(archspec.compile(spec)).state_dict())
        again = rebuilt(bundle, monkeypatch)
    if name not in MODULES:
        monkeypatch.setattr(verify, "_module", lambda bundle, *_: ContractReport(subject="", claims="", findings=()))
    reports = list(verify_bundle(bundle))
    assert [str(report) for report in reports if not report.holds] == []
    assert len(reports) == len(bundle.manifest.artifacts) + 1 + (spec.decode is not None)
    assert {one.status for one in bundle.manifest.verdicts} <= {"proved", "wired"}
    assert bundle.manifest.unproved == []
    assert_same(again.manifest, bundle.manifest)
    # The cache answers only where spec, module, weights and options are the same.
    assert from_cache("onnx") in [stage.name for stage in again.report.stages]
    if find_spec("tensorrt_rtx") and name not in TWINS:
        holds_and_compiles(network(bundle))


def network(bundle: Bundle) -> Lowered:
    """The network that TensorRT reads from the ONNX file of a bundle."""
    program = whole_program(archspec.load(bundle.path / "spec.yaml"), ()).inside(bundle.path)
    onnx = bundle.path / "artifacts" / "onnx" / "model.onnx"
    plan = parse(onnx, program.interface.inputs, program.interface.outputs).plan()
    claims = bundled_claims(bundle.path / "spec.yaml")
    return Lowered(
        program=program, onnx=onnx, spec=bundle.path / "spec.yaml", claims=claims, plan=plan, dtype="float32"
    )


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
