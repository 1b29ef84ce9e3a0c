"""What is made of a spec that does not hold says so wherever it goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import archspec as package
from archspec.cli.run_command import not_finite
from archspec.diagnostics import SpecError
from tests.checking.entrances import BAD, GOOD, write
from tests.cli.conftest import Command, archspec, folder

__all__ = ["archspec", "folder"]
TOLD = "`causal(output: logits, input: ids)` is violated"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a spec whose rule is violated."""
    place = tmp_path_factory.mktemp("unproved")
    return package.build(write(place, BAD["violated"]), place / "bundle", unproved=True, cache=False).path


def test_the_manifest_carries_the_verdicts_and_what_does_not_hold(bundle: Path) -> None:
    told = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert told["verdicts"][0] == {
        "rule": "causal(output: logits, input: ids)",
        "status": "violated",
        "explanation": "",
    }
    assert told["verdicts"][1]["status"] == "proved"
    assert len(told["unproved"]) == 1
    assert told["unproved"][0].startswith(TOLD)
    assert f"unproved: {TOLD}" in package.open(bundle).summary()


def test_run_repeats_it(bundle: Path, archspec: Command, folder: Path) -> None:
    np.savez(folder / "inputs.npz", ids=np.arange(8).reshape(2, 4))
    ran = archspec("run", str(bundle), "--inputs", "inputs.npz")
    assert ran.status == 0
    assert ran.err.startswith(f"note: unproved: {TOLD}")
    told = archspec("run", str(bundle), "--inputs", "inputs.npz", "--json").data
    assert told["unproved"] == package.open(bundle).manifest.unproved
    assert not told["holds"]


def test_attend_from_the_bundle_repeats_it(bundle: Path, archspec: Command, folder: Path) -> None:
    np.savez(folder / "inputs.npz", ids=np.arange(8).reshape(2, 4))
    ran = archspec("attend", str(bundle), "--inputs", "inputs.npz", "-o", "made.svg")
    assert ran.status == 0
    assert f"note: unproved: {TOLD}" in ran.err


def test_verify_of_the_bundle_prints_the_verdicts_and_fails_for_what_it_measures(
    bundle: Path, archspec: Command
) -> None:
    ran = archspec("verify", str(bundle))
    assert ran.status == 1
    assert "  rule causal(output: logits, input: ids): violated" in ran.out
    assert TOLD in ran.err


@pytest.mark.parametrize(("fault", "status"), [("vacuous", 1), ("other count", 1), (None, 0)])
def test_verify_of_a_spec_fails_for_what_check_does_not_accept(
    fault: str | None, status: int, archspec: Command, folder: Path
) -> None:
    write(folder, GOOD if fault is None else BAD[fault])
    ran = archspec("verify", "small.yaml")
    assert ran.status == status
    assert "check of small\n  rule " in ran.out
    assert "violated" not in ran.out
    assert bool(ran.err) == bool(status)
    assert archspec("verify", "small.yaml", "--unproved").status == 0


def test_commands_go_on_when_they_are_told_to(archspec: Command, folder: Path) -> None:
    write(folder, BAD["violated"])
    ran = archspec("compile", "small.yaml", "-o", "made.py", "--unproved")
    assert ran.status == 0
    assert ran.err.startswith(f"note: unproved: {TOLD}")
    assert "class Small(" in (folder / "made.py").read_text(encoding="utf-8")
    told = archspec("compile", "small.yaml", "--unproved", "--json").data
    assert not told["holds"]
    assert told["unproved"][0].startswith(TOLD)


def test_a_manifest_that_hides_what_does_not_hold_is_of_no_use(bundle: Path, tmp_path: Path) -> None:
    """The spec of a bundle is checked again before anything is made of it."""
    from dataclasses import replace

    opened = package.open(bundle)
    hiding = replace(opened, manifest=opened.manifest.model_copy(update={"unproved": []}))
    with pytest.raises(SpecError) as raised:
        package.generate(hiding, [[1]], max_new=1)
    assert raised.value.diagnostics[-1].message.startswith(TOLD)


def test_run_counts_values_that_are_not_finite() -> None:
    assert not_finite(np.array([1.0, np.nan, np.inf, -np.inf], np.float32)) == 3
    assert not_finite(np.zeros((2, 3), np.float16)) == 0
    assert not_finite(np.zeros(3, np.int64)) == 0
    assert not_finite(np.ones(3, bool)) == 0
