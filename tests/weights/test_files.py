from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from archspec.diagnostics import SpecError
from archspec.weights import read_weights, write_weights
from tests.weights.tables import only, same, tensors_of

SHAPES = {"a": (2, 3), "b.c": (4,), "d": ()}


def refused(path: Path) -> tuple[str, str]:
    with pytest.raises(SpecError) as raised:
        read_weights(path)
    found = only(raised.value)
    return found.code, found.message


def sharded(folder: Path, table: object) -> Path:
    tensors = tensors_of(SHAPES)
    save_file({"a": tensors["a"]}, folder / "one.safetensors")
    save_file({name: tensors[name] for name in ("b.c", "d")}, folder / "two.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    return folder


GOOD = {"a": "one.safetensors", "b.c": "two.safetensors", "d": "two.safetensors"}


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    tensors = tensors_of(SHAPES)
    write_weights(tmp_path / "model.safetensors", tensors)
    for path in (tmp_path, tmp_path / "model.safetensors", str(tmp_path)):
        with read_weights(path) as found:
            assert same(dict(found), tensors)
            assert found.shapes == SHAPES
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_views_are_written_alone(tmp_path: Path) -> None:
    packed = torch.randn(400, 2)
    parts = {"q": packed[:2], "k": packed[2:4], "t": packed[:2].T}
    write_weights(tmp_path / "w.safetensors", parts)
    assert same(dict(read_weights(tmp_path / "w.safetensors")), parts)
    assert (tmp_path / "w.safetensors").stat().st_size < 1000


def test_tensors_stay_when_the_file_is_closed(tmp_path: Path) -> None:
    tensors = tensors_of(SHAPES)
    write_weights(tmp_path / "model.safetensors", tensors)
    with read_weights(tmp_path) as found:
        kept = dict(found)
    assert same(kept, tensors)


def test_a_header_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    """Both entries have the same bytes, so that the reader of safetensors takes one of them in silence."""
    entry = '"a": {"dtype": "%s", "shape": [1], "data_offsets": [0, 4]}'
    header = f"{{{entry % 'F32'}, {entry % 'I32'}}}".encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert refused(path) == ("E523", f"the header of {path} contains `a` more than once")


def test_shards_of_an_index(tmp_path: Path) -> None:
    folder = sharded(tmp_path, GOOD)
    for path in (folder, folder / "model.safetensors.index.json"):
        assert same(dict(read_weights(path)), tensors_of(SHAPES))


@pytest.mark.parametrize(
    "file", ["../one.safetensors", "/etc/one.safetensors", "x/../../one.safetensors", "C:\\one.safetensors",
             "..\\one.safetensors", "one.bin", 3, ""],
)  # fmt: skip
def test_an_index_stays_in_its_folder(tmp_path: Path, file: object) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    code, message = refused(sharded(folder, {**GOOD, "a": file}))
    assert code == "E523"
    assert "`a`" in message


@pytest.mark.parametrize(
    "table",
    [
        None,
        [],
        {},
        {**GOOD, "a": "two.safetensors"},
        {**GOOD, "e": "one.safetensors"},
        {**GOOD, "a": "gone.safetensors"},
    ],
)
def test_an_index_that_is_not_sound(tmp_path: Path, table: object) -> None:
    assert refused(sharded(tmp_path, table))[0] == "E523"


def test_one_name_in_two_shards(tmp_path: Path) -> None:
    folder = sharded(tmp_path, GOOD)
    save_file({"a": torch.zeros(2, 3), "d": torch.zeros(())}, folder / "one.safetensors")
    assert refused(folder) == ("E523", "`d` is in one.safetensors and again in two.safetensors")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl", "model.onnx"])
def test_other_formats_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04.")
    for path in (tmp_path, tmp_path / name):
        code, message = refused(path)
        assert code == "E522"
        assert name in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone")[0] == "E523"
    assert refused(tmp_path)[0] == "E523"
    write_weights(tmp_path / "model.safetensors", tensors_of(SHAPES))
    whole = (tmp_path / "model.safetensors").read_bytes()
    for cut in (whole[:-4], whole[:20], b"", b"not a safetensors file"):
        (tmp_path / "model.safetensors").write_bytes(cut)
        assert refused(tmp_path)[0] == "E523"


def test_only_safetensors_are_written(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "model.bin", "E522"), (tmp_path / "gone" / "model.safetensors", "E523")):
        with pytest.raises(SpecError) as raised:
            write_weights(path, {})
        assert only(raised.value).code == code
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("one.safetensors", "one.safetensors.index.json"):
        os.mkfifo(tmp_path / name)
        assert refused(tmp_path / name) == ("E523", f"cannot read {tmp_path / name}: not a regular file")
    folder = sharded(tmp_path, {**GOOD, "e": "three.safetensors"})
    assert refused(folder) == ("E523", f"{folder / 'three.safetensors'} is missing, which the index beside it lists")
    assert refused(tmp_path / ("x" * 300 + ".safetensors"))[0] == "E523"
