"""GGUF files, written by the package `gguf` or byte by byte: read as they were written, and refused where not sound."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from archspec.diagnostics import SpecError
from archspec.weights import read_weights
from archspec.weights.gguf.reading import read_metadata
from archspec.weights.gguf.writing import write_gguf
from tests.decoding.gguf_file import read
from tests.weights.tables import only, tensors_of

gguf = pytest.importorskip("gguf")

BLOCKS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4")
PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def values(rows: int = 6, columns: int = 512, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def written(path: Path, tensors: dict[str, tuple[NDArray[Any], str]], **more: Any) -> Path:
    """A file with tensors in the named formats."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in more.items():
        writer.add_key_value(key, *value)
    for name, (array, format) in tensors.items():
        kind = gguf.GGMLQuantizationType[format]
        writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_every_format_that_the_package_writes(tmp_path: Path) -> None:
    """Blocks come out as the package decodes the whole tensor at once; what is no block keeps its bits."""
    array = values()
    path = written(tmp_path / "w.gguf", {f"of.{name}": (array, name) for name in (*PLAIN, *BLOCKS)})
    with read_weights(path) as found:
        assert dict(found.dtypes) == {f"of.{name}": name for name in (*PLAIN, *BLOCKS)}
        assert set(found.shapes.values()) == {(6, 512)}
        for name, dtype in PLAIN.items():
            assert torch.equal(found[f"of.{name}"], torch.from_numpy(array).to(dtype))
        for name in BLOCKS:
            kind = gguf.GGMLQuantizationType[name]
            expected = torch.from_numpy(gguf.dequantize(gguf.quantize(array, kind), kind))
            assert torch.equal(found[f"of.{name}"], expected)


def test_large_tensors_are_decoded_in_parts(tmp_path: Path) -> None:
    """More values than are decoded at once, with a part left over; the other reader is the tests' own."""
    made = {"a": (values(67, 8192), "Q8_0"), "b": (values(67, 8192, 1), "Q4_1"), "c": (values(1, 32), "F32")}
    path = written(tmp_path / "w.gguf", made)
    with read_weights(path) as found:
        for name, expected in read(path).items():
            assert torch.equal(found[name], torch.from_numpy(expected))


def test_tensors_stay_when_the_file_is_closed_and_can_be_written(tmp_path: Path) -> None:
    path = written(tmp_path / "w.gguf", {"a": (values(), "F32")})
    with read_weights(path) as found:
        kept = found["a"]
    kept += 1
    assert torch.equal(kept, torch.from_numpy(values() + 1))


def test_axes_are_in_the_order_of_pytorch_and_integers_are_integers(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "w.gguf", "llama")
    cube = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    writer.add_tensor("cube", cube)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with read_weights(tmp_path / "w.gguf") as found:
        assert found.shapes == {"cube": (2, 3, 4)}
        assert torch.equal(found["cube"], torch.from_numpy(cube))


def test_metadata_are_those_of_the_other_reader(tmp_path: Path) -> None:
    kinds = gguf.GGUFValueType
    more = {
        "a.text": ("é", kinds.STRING),
        "a.yes": (True, kinds.BOOL),
        "a.half": (0.5, kinds.FLOAT32),
        "a.less": (-3, kinds.INT16),
        "a.words": (["x", "", "zé"], kinds.ARRAY),
        "a.flags": ([True, False], kinds.ARRAY),
    }
    path = written(tmp_path / "w.gguf", {"a": (values(), "F32")}, **more)
    found = read_metadata(path)
    theirs = gguf.GGUFReader(path).fields
    expected = {key: field.contents() for key, field in theirs.items() if not key.startswith("GGUF.")}
    assert {key: list(one) if isinstance(one, tuple) else one for key, one in found.items()} == expected
    assert found["a.words"] == ("x", "", "zé")


# What follows is laid out by hand, since no writer makes it.


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def head(name: str | bytes = "a", dims: tuple[int, ...] = (4,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def laid(
    *heads: bytes, entries: tuple[bytes, ...] = (), data: bytes = bytes(64), counts: tuple[int, int] | None = None,
    start: bytes = b"GGUF" + struct.pack("<I", 3),
) -> bytes:  # fmt: skip
    tensors, keys = counts or (len(heads), len(entries))
    front = start + struct.pack("<QQ", tensors, keys) + b"".join(entries) + b"".join(heads)
    return front + bytes(-len(front) % 32) + data


def many(count: int, kind: int) -> bytes:
    return struct.pack("<IQ", kind, count)


HUGE = 1 << 62
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it ends at byte 0, inside its header"),
    "another format": (b"PK\x03\x04" + bytes(99), r"it starts with b'PK\x03\x04', expected b'GGUF'"),
    "big-endian": (laid(start=b"GGUF" + struct.pack(">I", 3)), "it is big-endian, and only little-endian"),
    "version": (laid(start=b"GGUF" + struct.pack("<I", 1)), "its version is 1, expected 2 or 3"),
    "tensor count": (laid(counts=(HUGE, 0)), f"it claims {HUGE} tensors, more than its 96 bytes can hold"),
    "entry count": (laid(counts=(0, HUGE)), f"it claims {HUGE} metadata entries, more than its 96 bytes can hold"),
    "one too many": (laid(head(), counts=(2, 0), data=bytes(16)), "it ends at byte 80, inside its header"),
    "long name": (laid(struct.pack("<Q", HUGE) + bytes(200)), "it ends at byte 320, inside its header"),
    "long list": (
        laid(entries=(entry("k", 9, many(HUGE, 8)),)),
        f"it claims {HUGE} texts in `k`, more than its 128 bytes can hold",
    ),
    "long numbers": (
        laid(entries=(entry("k", 9, many(HUGE, 4)),)),
        f"it claims {HUGE} numbers in `k`, more than its 128 bytes can hold",
    ),
    "deep lists": (laid(entries=(entry("k", 9, many(1, 9) * 900),)), "the lists of `k` are nested too deeply"),
    "type": (laid(entries=(entry("k", 77, b""),)), "the value of `k` is of the unknown type 77"),
    "no text": (laid(head(b"\xff\xfe")), "the text before byte 34 is not UTF-8"),
    "key twice": (laid(entries=(entry("k", 0, b"\1"),) * 2), "`k` is given twice among its metadata entries"),
    "name twice": (laid(head(), head(offset=32)), "`a` is given twice among its tensors"),
    "axes": (laid(head(dims=(1,) * 5)), "`a` has 5 axes, expected at most 4"),
    "all axes": (laid(text("a") + b"\xff" * 60), "`a` has 4294967295 axes, expected at most 4"),
    "format": (laid(head(kind=999)), "`a` is in the format 999, which the package gguf does not know"),
    "no values": (laid(head(dims=(0, HUGE))), f"`a` [{HUGE}, 0] cannot be in F32, in blocks of 1"),
    "part of a block": (laid(head(dims=(33,), kind=8)), "`a` [33] cannot be in Q8_0, in blocks of 32"),
    "huge": (laid(head(dims=(HUGE,) * 4)), f"`a` [{', '.join([str(HUGE)] * 4)}] ends beyond the 160 bytes of the file"),
    "offset": (laid(head(offset=(1 << 64) - 32)), "`a` [4] ends beyond the 128 bytes of the file"),
    "cut data": (laid(head(dims=(17,))), "`a` [17] ends beyond the 128 bytes of the file"),
    "alignment": (
        laid(entries=(entry("general.alignment", 4, struct.pack("<I", 24)),)),
        "`general.alignment` is 24, expected a power of two",
    ),
    "alignment of words": (
        laid(entries=(entry("general.alignment", 8, text("32")),)),
        "`general.alignment` is '32', expected a power of two",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_sound_is_refused(tmp_path: Path, name: str) -> None:
    content, reason = BROKEN[name]
    path = tmp_path / "w.gguf"
    path.write_bytes(content)
    with pytest.raises(SpecError) as raised:
        read_weights(path)
    found = only(raised.value)
    assert (found.code, found.message) == ("E523", f"{path} is not a sound GGUF file")
    assert reason in found.notes[0]


def test_what_is_laid_out_by_hand_is_read(tmp_path: Path) -> None:
    """The files above are refused for what is named there alone."""
    path = tmp_path / "w.gguf"
    data = struct.pack("<4f", 1, 2, 3, 4)
    nested = entry("k", 9, many(2, 9) + many(1, 0) + b"\7" + many(0, 8))
    path.write_bytes(laid(head(dims=(2, 2)), entries=(nested,), data=data))
    assert read_metadata(path) == {"k": ((7,), ())}
    with read_weights(path) as found:
        assert found["a"].tolist() == [[1, 2], [3, 4]]


def attempt(path: Path) -> None:
    """Read all of a file; anything but a diagnostic is an error."""
    try:
        with read_weights(path) as found:
            for name in found:
                found[name]
    except SpecError as error:
        assert only(error).code in ("E522", "E523")


def test_bytes_cut_and_changed_at_random(tmp_path: Path) -> None:
    """Only diagnostics, and never much memory, whatever the bytes say."""
    words = (["a"] * 50, gguf.GGUFValueType.ARRAY)
    whole = written(
        tmp_path / "w.gguf", {"a": (values(), "Q8_0"), "b": (values(), "F16")}, **{"a.words": words}
    ).read_bytes()
    front = len(whole) - 6 * 512 * 2 - 6 * 16 * 34
    path, draw = tmp_path / "x.gguf", random.Random(5)
    tracemalloc.start()
    for length in range(0, front, 7):
        path.write_bytes(whole[:length])
        attempt(path)
    for _ in range(1500):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 8))):
            content[draw.randrange(front)] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        path.write_bytes(content)
        attempt(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_file_that_is_cut_while_it_is_open(tmp_path: Path) -> None:
    path = written(tmp_path / "w.gguf", {"a": (values(64), "Q8_0"), "b": (values(), "F32")})
    with read_weights(path) as found:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 6 * 512 * 4 - 1000)
        for name in ("a", "b"):
            with pytest.raises(SpecError, match="is not a sound GGUF file"):
                found[name]


def test_a_format_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(laid(head(dims=(256,), kind=15), data=bytes(292)))
    with read_weights(path) as found:
        assert found.dtypes == {"a": "Q8_K"}
        with pytest.raises(SpecError) as raised:
            found["a"]
    assert only(raised.value).code == "E522"
    assert "`a` in" in only(raised.value).message


def test_a_part_of_a_model_is_refused(tmp_path: Path) -> None:
    more = {"split.count": (3, gguf.GGUFValueType.UINT16)}
    with pytest.raises(SpecError, match="is one of the 3 parts of a model"):
        read_weights(written(tmp_path / "w.gguf", {"a": (values(), "F32")}, **more))


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "w.gguf", {"a": (values(), "F32")})
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(SpecError) as raised:
        read_weights(path)
    assert only(raised.value).code == "E604"
    assert only(raised.value).help == "pip install 'archspec-compiler[gguf]'"


def test_a_folder_says_which_file_it_has(tmp_path: Path) -> None:
    path = written(tmp_path / "w.gguf", {"a": (values(), "F32")})
    with pytest.raises(SpecError) as raised:
        read_weights(tmp_path)
    assert only(raised.value).help == f"give the file itself, such as {path}"


PEAK = """
import resource, sys
import torch, gguf
from archspec.weights import read_weights
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
with read_weights(sys.argv[1]) as found:
    kept = dict(found)
print((peak() - before) / sum(one.numel() * one.element_size() for one in kept.values()))
"""


@pytest.mark.slow
def test_reading_takes_little_more_than_the_model(tmp_path: Path) -> None:
    made = {str(number): (values(1024, 2048, number), "Q4_1") for number in range(10)}
    path = written(tmp_path / "w.gguf", made)
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    assert float(done.stdout) <= 1.3


TENSORS = {"a.weight": (6, 64), "b.weight": (4, 30), "a.bias": (6,), "e.weight": (2, 3, 32)}


def drawn(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    return {name: tensor.to(dtype) for name, tensor in tensors_of(TENSORS).items()}


@pytest.mark.parametrize("format", ["F32", "F16", "Q8_0"])
def test_what_is_written_reads_back_and_is_written_the_same_again(tmp_path: Path, format: str) -> None:
    """The other reader agrees; a second writing of what was read gives the same bytes."""
    path, again, metadata = (
        tmp_path / "w.gguf",
        tmp_path / "v.gguf",
        {"llama.block_count": 2, "a.eps": 0.5, "a.w": ("x",)},
    )
    kept = write_gguf(path, "llama", metadata, drawn(), format)
    assert kept == (("b.weight",) if format == "Q8_0" else ())
    with read_weights(path) as found:
        read_once = dict(found)
        assert found.dtypes == dict.fromkeys(TENSORS, format) | dict.fromkeys(("a.bias", *kept), "F32")
    theirs = {one.name: one for one in gguf.GGUFReader(path).tensors}
    for name, tensor in drawn().items():
        kind = theirs[name].tensor_type
        expected = gguf.dequantize(gguf.quantize(tensor.numpy(), kind), kind)
        assert torch.equal(read_once[name].float(), torch.from_numpy(expected.copy()))
        assert theirs[name].shape.tolist() == list(tensor.shape)[::-1]
    assert write_gguf(again, "llama", metadata, read_once, format) == kept
    assert again.read_bytes() == path.read_bytes()
    more = {"general.quantization_version": 2} if format == "Q8_0" else {}
    kinds = {"F32": 0, "F16": 1, "Q8_0": 7}
    assert read_metadata(path) == {
        "general.architecture": "llama", **metadata, **more, "general.file_type": kinds[format],
    }  # fmt: skip


def test_half_precision_is_written_from_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    write_gguf(path, "llama", {}, drawn(torch.bfloat16), "F32")
    with read_weights(path) as found:
        for name, tensor in drawn(torch.bfloat16).items():
            assert torch.equal(found[name], tensor.float())


def test_what_float16_cannot_hold_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    large = {"a.weight": torch.full((2, 32), 70_000.0)}
    with pytest.raises(SpecError) as raised:
        write_gguf(tmp_path / "w.gguf", "llama", {}, large, "F16")
    assert only(raised.value).code == "E527"
    write_gguf(tmp_path / "w.gguf", "llama", {}, large, "Q8_0")
    for path, code in ((tmp_path / "w.bin", "E522"), (tmp_path / "gone" / "w.gguf", "E523")):
        with pytest.raises(SpecError) as raised:
            write_gguf(path, "llama", {}, large, "F32")
        assert only(raised.value).code == code
    assert [path.name for path in tmp_path.iterdir()] == ["w.gguf"]
