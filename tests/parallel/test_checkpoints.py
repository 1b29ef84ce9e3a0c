"""Training on several ranks: the same losses, and checkpoints that others resume; what is damaged is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.optim import SGD

from archspec.diagnostics import SpecError
from archspec.parallel import checkpoints, next_token_loss, resume, save
from tests.parallel.ranks import RankFailure, Ranks
from tests.parallel.training import STEPS, batch, built, train

EXACT = {"abs": 1e-9, "rel": 0}
SUM = r"\d+ bytes, crc32 [0-9a-f]{8}"


@pytest.fixture(scope="module")
def alone() -> list[float]:
    """The losses of one process without any group."""
    losses = train(1, 1)
    assert losses[-1] < losses[0] / 2
    return losses


@pytest.mark.parametrize(("data", "tensor"), [(2, 1), (1, 2), (2, 2)])
def test_the_losses_are_those_of_one_process(data: int, tensor: int, alone: list[float], ranks: Ranks) -> None:
    for losses in ranks.run(data * tensor, train, data, tensor):
        assert losses == pytest.approx(alone, **EXACT)


def test_training_goes_on_in_another_layout_and_on_other_numbers_of_ranks(
    alone: list[float], ranks: Ranks, tmp_path: Path
) -> None:
    """Tensor 2, FSDP 2, both together, tensor 4 with shared heads of keys, one process: each goes on from another."""
    losses = ranks.run(2, train, 1, 2, 15, tmp_path, 15)[0]
    losses += ranks.run(2, train, 2, 1, 30, tmp_path, 15)[0]
    losses += ranks.run(4, train, 2, 2, 40, tmp_path, 10)[0]
    losses += ranks.run(4, train, 1, 4, 45, tmp_path, 5)[0]
    losses += train(1, 1, STEPS, tmp_path, STEPS)
    assert losses == pytest.approx(alone, **EXACT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step-{step:08d}" for step in (15, 30, 40, 45, 50)]
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".safetensors", ".json"}
    # And from one process to two.
    shutil.rmtree(tmp_path / "step-00000050")
    assert ranks.run(2, train, 2, 1, STEPS, tmp_path)[0] == pytest.approx(alone[45:], **EXACT)


def test_training_goes_on_with_whole_experts_and_without(ranks: Ranks, tmp_path: Path) -> None:
    """Whole experts on 2 ranks, hidden features on 2, both with FSDP 2, one expert a rank, one process."""
    name, steps = "mixtral-8x7b", 20
    losses = ranks.run(2, train, 1, 2, 4, tmp_path, 4, name, True)[0]
    losses += ranks.run(2, train, 1, 2, 8, tmp_path, 4, name)[0]
    losses += ranks.run(4, train, 2, 2, 12, tmp_path, 4, name, True)[0]
    losses += ranks.run(4, train, 1, 4, 16, tmp_path, 4, name, True)[0]
    losses += train(1, 1, steps, tmp_path, 0, name)
    assert losses == pytest.approx(train(1, 1, steps, name=name), **EXACT)


def killed(folder: Path, when: str) -> list[float]:
    """Train until rank 1 is killed in step 25, or rank 0 when everything of a checkpoint but its name is there."""
    if when == "training":
        train(2, 1, 25, folder, 10)
        if torch.distributed.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        train(2, 1, 15, folder, 10)
        checkpoints._rename = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
    return train(2, 1, STEPS, folder, 10)


@pytest.mark.parametrize("when", ["training", "saving"])
def test_a_rank_that_is_killed_loses_nothing_that_was_saved(
    when: str, alone: list[float], ranks: Ranks, tmp_path: Path
) -> None:
    with pytest.raises(RankFailure, match="the process ended"):
        ranks.run(2, killed, tmp_path, when)
    partial = [path.name for path in tmp_path.iterdir() if path.suffix]
    saved = {path.name for path in tmp_path.iterdir() if not path.suffix}
    assert partial == (["step-00000020.partial"] if when == "saving" else [])
    assert saved == {"step-00000010"} | ({"step-00000020"} if when == "training" else set())
    first = 10 * len(saved)
    assert ranks.run(2, train, 2, 1, STEPS, tmp_path, 20)[0] == pytest.approx(alone[first:], **EXACT)
    assert not list(tmp_path.glob("*.partial"))


def cut_short(path: Path) -> None:
    file = next(path.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-8])


def without_a_file(path: Path) -> None:
    next(path.glob("*.safetensors")).unlink()


def with_a_stranger(path: Path) -> None:
    (path / "more.safetensors").write_bytes(b"")


def without_files(path: Path) -> None:
    content = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps({**content, "files": None}))


def of_a_later_version(path: Path) -> None:
    content = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps({**content, "version": 3}))


def with_other_bits(path: Path) -> None:
    file = next(path.glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)


def at_another_step(path: Path) -> None:
    content = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps({**content, "step": 7}))


def under_another_name(path: Path) -> None:
    path.rename(path.with_name("step-00000009"))


def without_a_manifest(path: Path) -> None:
    (path / "checkpoint.json").unlink()


def half_a_manifest(path: Path) -> None:
    file = path / "checkpoint.json"
    file.write_bytes(file.read_bytes()[:100])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    train(1, 1, 1, folder, 1)
    return folder


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_short, rf"shard-00001-model-00001-of-00001.safetensors has {SUM}, expected {SUM}"),
        (with_other_bits, rf"shard-00001-model-00001-of-00001.safetensors has {SUM}, expected {SUM}"),
        (at_another_step, "checkpoint.json was changed: its sum is another one"),
        (under_another_name, "it is of step 1"),
        (without_a_file, "shard-00001-model-00001-of-00001.safetensors is missing"),
        (with_a_stranger, "more.safetensors is not in checkpoint.json"),
        (without_files, "checkpoint.json has no files"),
        (of_a_later_version, "checkpoint.json has no version 2"),
        (without_a_manifest, "checkpoint.json: no such file or directory"),
        (half_a_manifest, "checkpoint.json is no JSON"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    damage: Callable[[Path], None], reason: str, saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "run")
    damage(tmp_path / "run" / "step-00000001")
    module, optimizer = built(1, 1)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(SpecError, match="E941") as raised:
        resume(tmp_path / "run", module, optimizer)
    assert re.search(reason, raised.value.diagnostics[0].message)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_checkpoint_of_another_module_or_optimizer_is_refused(saved: Path) -> None:
    module, _ = built(1, 1)
    with pytest.raises(SpecError, match="E942") as raised:
        resume(saved, module, SGD(module.parameters(), lr=0.1, momentum=0.9))
    assert any("momentum_buffer" in note for note in raised.value.diagnostics[0].notes)
    module.logits.weight = torch.nn.Parameter(torch.zeros(98, 32, dtype=torch.float64))
    with pytest.raises(SpecError, match="E942") as raised:
        resume(saved, module, torch.optim.AdamW(module.parameters()))
    note = "`module.logits.weight` is float64 [97, 32] in the checkpoint, float64 [98, 32] here"
    assert note in raised.value.diagnostics[0].notes
    narrow = built(1, 1)[0].float()
    with pytest.raises(SpecError, match=r"float64 .* in the checkpoint, float32 .* here"):
        resume(saved, narrow, torch.optim.AdamW(narrow.parameters()))


@pytest.mark.parametrize("data", [{"rows": {1, 2}}, {"rows": {1: 2}}])
def test_what_json_cannot_hold_is_refused_before_anything_is_written(data: dict[str, object], tmp_path: Path) -> None:
    module, optimizer = built(1, 1)
    with pytest.raises(SpecError, match="E943"):
        save(tmp_path, module, optimizer, step=1, data=data)
    assert resume(tmp_path, module, optimizer) is None


@pytest.mark.parametrize("step", [-1, True, 1.0])
def test_a_step_that_is_no_number_of_steps_is_refused(step: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`step` must be a whole number from 0, got"):
        save(tmp_path, *built(1, 1), step=step, data={})


def test_a_file_is_no_folder_of_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(SpecError, match="E941"):
        resume(tmp_path / "run", *built(1, 1))


def test_a_fresh_optimizer_beside_gradients_resumes(saved: Path) -> None:
    module, optimizer = built(1, 1)
    ids = batch(0)
    next_token_loss(module(ids), ids).backward()
    gradients = [one.grad.clone() for one in module.parameters()]
    found = resume(saved, module, optimizer)
    assert found is not None
    assert len(optimizer.state) == len(gradients)
    assert all(torch.equal(one.grad, other) for one, other in zip(module.parameters(), gradients, strict=True))


def test_a_folder_that_is_not_there_has_no_checkpoint(tmp_path: Path) -> None:
    assert resume(tmp_path / "none", *built(1, 1)) is None


def sees_its_own(folder: Path) -> str:
    with pytest.raises(SpecError) as raised:
        resume(folder / str(torch.distributed.get_rank()), *built(2, 1))
    return raised.value.diagnostics[0].message


def test_ranks_that_see_different_checkpoints_are_refused(saved: Path, ranks: Ranks, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "0")
    first, second = ranks.run(2, sees_its_own, tmp_path)
    assert first.endswith("the last of rank 0 is of step 1")
    assert second.endswith("the last of rank 1 is of step -1")
