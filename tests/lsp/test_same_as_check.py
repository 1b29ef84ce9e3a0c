"""Over a real client: what an editor shows of a file is what `archspec check` says of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from archspec.spec.shipped import shipped_specs_dir
from tests.diagnostics.corpus_case import CASES, CORPUS, copy_to
from tests.lsp.client import editor
from tests.lsp.said import checked, shown

FEW = ("gpt2", "gated-attention", "transformer-big", "roberta-base")


async def differences(folder: Path, paths: list[Path]) -> list[str]:
    """Files of which a client shows something else than a check says."""
    found = []
    async with editor(folder) as client:
        for path in paths:
            text = path.read_bytes().decode("utf-8", "replace")
            told = await client.open(path.as_uri(), text)
            if text.encode() != path.read_bytes():
                # What is not UTF-8 reaches an editor with the replacement character in its place.
                path.write_bytes(text.encode())
            wanted = checked(path)
            if shown(told, wanted) != wanted:
                found.append(f"{path.name}: {shown(told, wanted)} is not {wanted}")
            await client.close(path.as_uri())
    return found


async def of_specs(folder: Path, names: list[str]) -> None:
    shutil.copytree(shipped_specs_dir(), folder / "specs")
    assert await differences(folder, [folder / "specs" / f"{name}.yaml" for name in names]) == []


@pytest.mark.asyncio
async def test_some_shipped_specs(tmp_path: Path) -> None:
    await of_specs(tmp_path, list(FEW))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.asyncio
async def test_every_shipped_spec(tmp_path: Path) -> None:
    await of_specs(tmp_path, sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))


@pytest.mark.asyncio
async def test_every_case_of_the_corpus(tmp_path: Path) -> None:
    shutil.copytree(CORPUS / "files", tmp_path / "files")
    for case in CASES:
        if not (tmp_path / case.name).exists():
            shutil.copytree(tmp_path / "files", tmp_path / "kept", dirs_exist_ok=True)
            shutil.rmtree(tmp_path / "files")
            copy_to(tmp_path, case)
    others = sorted((Path(__file__).parents[1] / "cases").glob("*.yaml"))
    for path in others:
        shutil.copy(path, tmp_path / path.name)
    names = [path.name for path in (*CASES, *others)]
    assert await differences(tmp_path, [tmp_path / name for name in names]) == []
