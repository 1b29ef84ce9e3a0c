"""Save and resume training by torch.distributed.checkpoint, on any number of ranks: safetensors and JSON, no pickle.

A checkpoint is a folder `step-00000100`: the parts of tensors that the ranks wrote, with their places in the whole, and
a manifest of everything else. It is written under another name and renamed when it is whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.parallel.manifest import CheckpointManifest, file_names, read_manifest, refuse, sum_of, write_manifest
from archspec.parallel.training_state import TrainingState, training_state
from archspec.record import record
from archspec.weights.agreement import is_alone, largest_on_any_rank, on_every_rank, rank, world
from archspec.weights.parts import device_of

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.optim import Optimizer

_NAME = re.compile(r"step-(\d+)")
_SUMS = "sums-"


@record
class Resumed:
    """Where training goes on: the steps that were done, and the data that was saved with them."""

    step: int
    data: Mapping[str, Any]
    path: Path


def save(folder: str | Path, module: nn.Module, optimizer: Optimizer, *, step: int, data: Mapping[str, Any]) -> Path:
    """Save a module, its optimizer and where the data stands, as the checkpoint of a step.

    Every rank calls it, with a folder that all ranks share. Each writes the parts that it holds; what several hold is
    written once. A run that ends on the way leaves a folder that `resume` does not take.

    Args:
        folder: the folder of all checkpoints.
        module: a module whose parameters may be DTensors.
        optimizer: of its parameters.
        step: how many steps were done.
        data: what else training needs to go on, such as the position in the data, as JSON: tuples come back as lists.

    Returns:
        the folder of the checkpoint.

    Raises:
        SpecError: E943 where something cannot be written, E940 where another rank failed.
        ValueError: for a step that is no whole number from 0.
    """
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError(f"`step` must be a whole number from 0, got {step!r}")
    target = Path(folder) / _name(step)
    # The name has no match in `_NAME`, so nothing that is half written is ever taken.
    temporary = target.with_name(f"{target.name}.partial")
    device = device_of(module.parameters())
    state = training_state(module, optimizer)
    with on_every_rank(device):
        _write_first(temporary, CheckpointManifest(step=step, data=data, values=state.values))
    _write_tensors(temporary, state)
    with on_every_rank(device):
        _write_sums(temporary)
    with on_every_rank(device):
        _rename(temporary, target)
    return target


def resume(folder: str | Path, module: nn.Module, optimizer: Optimizer) -> Resumed | None:
    """Take the newest checkpoint of a folder into a module and its optimizer; None where there is no checkpoint.

    Every rank calls it. The number of ranks and how parameters are distributed may differ from those that saved: each
    rank reads the parts that it holds now, after all ranks together have read every file once to compare its sum.
    Folders of checkpoints that were not written to their end are passed over.
    Raises SpecError E941 for a checkpoint that was damaged after it was written, E942 for one of another module or
    optimizer, E940 where another rank failed; nothing is changed then.
    """
    device = device_of(module.parameters())
    with on_every_rank(device):
        newest = _newest(Path(folder))
        manifest = None if newest is None else _manifest(newest)
    _check_same(Path(folder), manifest.step if manifest is not None else -1, device)
    if newest is None or manifest is None:
        return None
    state = training_state(module, optimizer)
    with on_every_rank(device):
        manifest.check_sums(newest, rank(), world())
        state.check(newest, manifest.values)
    _read_tensors(newest, state)
    state.put(module, optimizer, manifest.values)
    return Resumed(step=manifest.step, data=manifest.data, path=newest)


def _name(step: int) -> str:
    """The name of the checkpoint of a step."""
    return f"step-{step:08d}"


def _newest(folder: Path) -> Path | None:
    """Return the checkpoint of the largest step; one that is written to its end has its name."""
    if not folder.is_dir():
        if folder.exists():
            fail("E941", f"{folder} is no folder of checkpoints", None, help="give a folder")
        return None
    steps = {int(found[1]): path for path in folder.iterdir() if (found := _NAME.fullmatch(path.name))}
    return steps[max(steps)] if steps else None


def _manifest(checkpoint: Path) -> CheckpointManifest:
    """Read the manifest of a checkpoint. Raises SpecError E941 for one that is damaged, or has the name of another."""
    found = read_manifest(checkpoint)
    if checkpoint.name != _name(found.step):
        refuse(checkpoint, f"it is of step {found.step}")
    return found


def _check_same(folder: Path, step: int, device: torch.device) -> None:
    """Raise E941 unless every rank found the checkpoint of the same step."""
    most, least = largest_on_any_rank([step, -step], device)
    if most != -least:
        message = f"ranks see different checkpoints in {folder}: the last of rank {rank()} is of step {step}"
        fail("E941", message, None, help="give a folder that all ranks share")


def _write_first(temporary: Path, manifest: CheckpointManifest) -> None:
    """Make the folder of a checkpoint, with the part of its manifest that is known; one rank does it."""
    if rank():
        return
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        write_manifest(temporary, manifest)
    except OSError as error:
        _refuse(temporary, error.strerror or str(error))


def _write_tensors(temporary: Path, state: TrainingState) -> None:
    """Write the parts that the ranks hold."""
    from torch.distributed.checkpoint import state_dict_saver
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

    writer = HuggingFaceStorageWriter(str(temporary), save_distributed=True)
    try:
        with _quiet():
            state_dict_saver.save(dict(state.tensors), storage_writer=writer, no_dist=is_alone())
    except (CheckpointException, OSError) as error:
        _refuse(temporary, str(error).strip().splitlines()[-1])


def _write_sums(temporary: Path) -> None:
    """Write the sums of the files that this rank wrote."""
    # The writer numbers files by rank, from 1.
    own = [name for name in file_names(temporary) if name.startswith(f"shard-{rank() + 1:05d}-")]
    try:
        sums = {name: sum_of(temporary / name) for name in own}
        (temporary / f"{_SUMS}{rank()}").write_text(json.dumps(sums), encoding="utf-8")
    except OSError as error:
        _refuse(temporary, error.strerror or str(error))


def _sums(temporary: Path) -> dict[str, str]:
    """Take the sums that all ranks wrote, with those of files that no rank calls its own."""
    found: dict[str, str] = {}
    for path in list(temporary.glob(f"{_SUMS}*")):
        found |= json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
    return {name: found.get(name) or sum_of(temporary / name) for name in file_names(temporary)}


def _rename(temporary: Path, target: Path) -> None:
    """Complete the manifest with the files and give the folder its name; one rank does it."""
    if rank():
        return
    try:
        write_manifest(temporary, read_manifest(temporary, whole=False).of_files(_sums(temporary)))
        if target.exists():
            # A folder can be renamed to a name that is free: what a run before this one saved of the step goes first.
            shutil.rmtree(target)
        temporary.rename(target)
        _settle(target.parent)
    except OSError as error:
        _refuse(target, error.strerror or str(error))


def _settle(folder: Path) -> None:
    """Have names in a folder written to the disk, where the system can."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _refuse(path: Path, reason: str) -> None:
    fail("E943", f"cannot write {path}: {reason.lower()}", None, help="free space, or give another folder")


def _read_tensors(path: Path, state: TrainingState) -> None:
    """Read the parts that this rank holds into the tensors of a state, in place."""
    from torch.distributed.checkpoint import state_dict_loader
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader

    with _quiet():
        state_dict_loader.load(state.tensors, storage_reader=HuggingFaceStorageReader(str(path)), no_dist=is_alone())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from warning that one process is alone, which is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        yield
