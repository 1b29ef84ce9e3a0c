"""Packages of inductor: native code that computes what the module computes, and nothing that could be unpickled."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from archspec.diagnostics import SpecError
from archspec.engines.host import runs_on, this_host
from archspec.engines.inductor_build import CACHE
from archspec.engines.registry import read_targets
from archspec.engines.targets import inductor
from archspec.engines.targets.inductor import Inductor
from tests.engines.conftest import Case, held_to_the_module


@pytest.mark.slow
def test_it_computes_what_the_module_computes_below_a_path_with_spaces(inductor_case: Case) -> None:
    assert " " in str(inductor_case.folder)
    held_to_the_module(inductor_case)


@pytest.mark.slow
def test_what_is_told_of_it(inductor_case: Case) -> None:
    artifact = inductor_case.built.artifact
    assert (artifact.tool, artifact.version, artifact.host) == ("torch", torch.__version__, this_host())
    assert inductor_case.obstacle() is None
    assert "this host has" in (inductor_case.obstacle(version="2.11.0") or "")
    assert inductor_case.obstacle(host="plan9 mips") == f"it was built for plan9 mips; this host is {this_host()}"
    assert not list(inductor_case.folder.rglob("cache"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data/weights/weight_0", "models/model.json", "data/aotinductor/other/model.so"])
def test_a_package_that_holds_more_than_code_is_not_opened(inductor_case: Case, tmp_path: Path, name: str) -> None:
    package = Path(shutil.copy(inductor_case.path, tmp_path / "model.pt2"))
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr(f"model/{name}", b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(SpecError) as raised:
        Inductor().open(package, inductor_case.program.interface)
    (found,) = raised.value.diagnostics
    assert (found.code, found.notes) == ("E610", (f"`{name}`",))


def test_a_package_that_is_none_is_refused(tmp_path: Path) -> None:
    from tests.engines.models import encoder

    (tmp_path / "model.pt2").write_bytes(b"PK")
    with pytest.raises(SpecError) as raised:
        Inductor().open(tmp_path / "model.pt2", encoder(tmp_path).interface)
    assert raised.value.diagnostics[0].code == "E610"


def refusal(text: str, dtype: str = "float32") -> tuple[str, str]:
    with pytest.raises(SpecError) as raised:
        read_targets([text], dtype)
    (found,) = raised.value.diagnostics
    return found.code, found.message


def test_what_is_refused_before_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("inductor:tpu")[0] == "E601"
    assert refusal("inductor", "bfloat16")[0] == "E603"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert refusal("inductor:cuda") == (
        "E611",
        "`inductor:cuda` must be built on a host with its GPU, but this host has none",
    )
    monkeypatch.setenv("CXX", "no-such-compiler")
    code, message = refusal("inductor")
    assert code == "E611"
    assert message == "`inductor` needs a C++ compiler, but `no-such-compiler` was not found on this host"


def test_the_cache_that_holds_pickles_is_the_builds_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from archspec.engines.inductor_build import _own_cache

    monkeypatch.setenv(CACHE, "before")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with _own_cache():
        own = Path(os.environ[CACHE])
        assert own.is_dir()
        assert own.parent == tmp_path
    assert os.environ[CACHE] == "before"
    assert not own.exists()


@pytest.mark.parametrize(
    ("built_for", "host", "runs"),
    [
        ("linux x86-64-v3", "linux x86-64-v3", True),
        ("linux x86-64-v3", "linux x86-64-v4", True),
        ("linux x86-64-v4", "linux x86-64-v3", False),
        ("linux x86-64-v3", "darwin x86-64-v3", False),
        ("linux aarch64", "linux aarch64", True),
        ("linux aarch64", "linux x86-64-v4", False),
        ("linux x86-64", "linux aarch64", False),
    ],
)
def test_code_runs_on_processors_that_can_do_as_much(built_for: str, host: str, runs: bool) -> None:
    assert runs_on(built_for, host) is runs


def test_convolutions_on_a_gpu_are_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.backends import cudnn

    monkeypatch.setattr(cudnn, "allow_tf32", True)
    with inductor._full_precision("cpu"):
        assert cudnn.allow_tf32
    with pytest.raises(RuntimeError), inductor._full_precision("cuda"):
        assert not cudnn.allow_tf32
        raise RuntimeError("the code fails")
    assert cudnn.allow_tf32
