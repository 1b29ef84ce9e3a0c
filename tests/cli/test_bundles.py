"""`build` and `run`: a bundle of a small spec, and inputs that it takes or refuses."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from archspec.algebra.dim import Symbol
from archspec.bundle import build
from archspec.bundle.staging import check_output
from archspec.diagnostics import SpecError
from archspec.ir.types import DType, TensorType
from archspec.model.archives import read_arrays
from tests.cli.conftest import SMALL, Command
from tests.steps import steps_here

pytestmark = pytest.mark.slow

IDS = np.arange(10, dtype=np.int64).reshape(2, 5)
TOKENS = Symbol("tokens", 1, 8, 4 * 2**20)
TYPES = {"ids": TensorType.of(DType.INT64, TOKENS)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX bundle of the small spec."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    with steps_here():
        return build(folder / "small.yaml", folder / "built").path


def write(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path.name


def test_build_and_its_json(archspec: Command, folder: Path) -> None:
    ran = archspec("build", "small.yaml", "-o", "one")
    assert ran.status == 0
    assert ran.out.startswith("small in ")
    assert "  onnx float32, " in ran.out
    assert ", executed; at most " in ran.out
    assert ran.err.splitlines()[0] == "initialise weights"
    told = archspec("build", "small.yaml", "-o", "two", "--json", "--seed", "1")
    assert told.err == ""
    assert told.data["manifest"]["artifacts"][0]["verified"] == "executed"
    assert told.data["manifest"]["weights"]["seed"] == 1


def test_build_refuses_what_it_cannot_have_before_it_begins(archspec: Command, folder: Path) -> None:
    for wrong in (("--target", "onyx"), ("--weights", "nothing.safetensors"), ("--file", "nothing.json")):
        ran = archspec("build", "small.yaml", "-o", "one", *wrong)
        assert ran.status == 1
        assert "error[E" in ran.err
        assert not (folder / "one").exists()


@pytest.mark.parametrize(
    ("target", "ranks", "status", "message"),
    [
        ("onnx", "2", 1, "error[E628]: `onnx` has no artifacts for one of several ranks"),
        ("tensorrt-rtx:sm89", "3", 1, "error[E900]: nothing in `small` can be split over 3 tensor ranks"),
        ("tensorrt-rtx:sm89", "1", 2, "1 is not in the range x>=2"),
    ],
)
def test_build_refuses_ranks_that_it_cannot_have(
    target: str, ranks: str, status: int, message: str, archspec: Command, folder: Path
) -> None:
    pytest.importorskip("tensorrt_rtx")
    ran = archspec("build", "small.yaml", "-o", "out", "--target", target, "--tensor", ranks)
    assert ran.status == status
    assert message in ran.err
    assert not (folder / "out").exists()


def test_build_never_replaces_a_folder_that_is_no_bundle(archspec: Command, folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert archspec("build", "small.yaml", "-o", "mine").status == 1
    assert (folder / "mine" / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_run(archspec: Command, folder: Path, bundle: Path) -> None:
    source = write(folder / "in.npz", {"ids": IDS})
    ran = archspec("run", str(bundle), "--inputs", source, "--output", "out.npz")
    assert ran.status == 0
    assert ran.out == "ran onnx: executed; the only one that this host can open\n  logits: [2, 5, 50]\n"
    with np.load(folder / "out.npz", allow_pickle=False) as found:
        assert found["logits"].shape == (2, 5, 50)
        assert np.isfinite(found["logits"]).all()
    told = archspec("run", str(bundle), "--inputs", source, "--json").data
    assert told == {
        "holds": True,
        "artifact": "onnx",
        "reason": "executed; the only one that this host can open",
        "rejected": {},
        "unproved": [],
        "not_finite": {},
        "outputs": {"logits": [2, 5, 50]},
        "written": None,
    }


@pytest.mark.parametrize(
    ("arrays", "codes"),
    [
        ({"idz": IDS}, ["E711", "E712"]),
        ({"ids": IDS.astype(np.float64)}, ["E713"]),
        ({"ids": IDS + 45}, ["E718"]),
        ({"ids": np.zeros((2, 13), dtype=np.int64)}, ["E716"]),
        ({"ids": IDS, "valid": IDS > 0}, ["E711"]),
    ],
)
def test_wrong_inputs_are_1(
    archspec: Command, folder: Path, bundle: Path, arrays: Mapping[str, NDArray[np.generic]], codes: list[str]
) -> None:
    source = write(folder / "in.npz", arrays)
    ran = archspec("run", str(bundle), "--inputs", source, "--output", "out.npz", "--json")
    assert ran.status == 1
    assert [one["code"] for one in ran.data["diagnostics"]] == codes
    assert not (folder / "out.npz").exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04junk", b"\x93NUMPY"])
def test_files_that_are_no_arrays(archspec: Command, folder: Path, bundle: Path, content: bytes) -> None:
    (folder / "in.npz").write_bytes(content)
    ran = archspec("run", str(bundle), "--inputs", "in.npz")
    assert ran.status == 1
    assert ran.err.startswith("error[E703]: in.npz is not an .npz file of plain arrays\n")


def test_objects_are_not_unpickled(archspec: Command, folder: Path, bundle: Path) -> None:
    np.savez(folder / "in.npz", ids=np.array([{}], dtype=object))
    assert archspec("run", str(bundle), "--inputs", "in.npz").err.startswith("error[E703]")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere", "--inputs", "in.npz"), "E705"),
        ((".", "--inputs", "in.npz"), "E70"),
        (("BUNDLE", "--inputs", "nothing.npz"), "E703"),
        (("BUNDLE", "--inputs", "in.npz", "--artifact", "tensorrt-rtx:sm86"), "E710"),
        (("BUNDLE", "--inputs", "in.npz", "--output", "nowhere/out.npz"), "E702"),
    ],
)
def test_run_on_what_is_not_there(
    archspec: Command, folder: Path, bundle: Path, arguments: tuple[str, ...], code: str
) -> None:
    write(folder / "in.npz", {"ids": IDS})
    ran = archspec("run", *(str(bundle) if one == "BUNDLE" else one for one in arguments))
    assert ran.status == 1
    assert ran.err.startswith(f"error[{code}")


def _zipped(header: bytes, flags: tuple[int, int] = (0, 0)) -> bytes:
    """An archive with the array file `ids.npy`, whose header is given; `flags` are the encryption bit and method."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("ids.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    content = bytearray(made.getvalue())
    for start, place in ((0, 6), (content.find(b"PK\x01\x02"), 8)):
        content[start + place] |= flags[0]
        content[start + place + 2] |= flags[1]
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        _zipped(b"{'descr': '<i8',"),
        _zipped(b"{'descr': '<U500000000', 'fortran_order': False, 'shape': (2,), }\n"),
        _zipped(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"),
        _zipped(b"", (1, 0)),
        _zipped(b"", (0, 99)),
    ],
    ids=["cut", "long texts", "objects", "encrypted", "unknown method"],
)
def test_damaged_archives(folder: Path, content: bytes) -> None:
    (folder / "in.npz").write_bytes(content)
    with pytest.raises(SpecError) as raised:
        read_arrays(folder / "in.npz", TYPES)
    assert [one.message for one in raised.value.diagnostics] == [
        f"{folder / 'in.npz'} is not an .npz file of plain arrays"
    ]


def test_an_array_that_expands_beyond_what_the_input_admits_is_not_read(folder: Path) -> None:
    """The header is enough to refuse 8 GB, under the name of an input or another: nothing is read after it."""
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000,), }\n"
    for name in ("ids", "other"):
        with zipfile.ZipFile(folder / "in.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        with pytest.raises(SpecError) as raised:
            read_arrays(folder / "in.npz", TYPES)
        (found,) = raised.value.diagnostics
        message = f"`{name}` in {folder / 'in.npz'} has 1,000,000,000 elements, expected at most 4,194,304"
        assert (found.code, found.message) == ("E716", message)


def test_an_output_in_the_folder_of_a_bundle_is_refused(archspec: Command, folder: Path, bundle: Path) -> None:
    write(folder / "in.npz", {"ids": IDS})
    before = sorted(bundle.rglob("*"))
    ran = archspec("run", str(bundle), "--inputs", "in.npz", "--output", str(bundle / "artifacts" / "out.npz"))
    assert ran.status == 1
    assert ran.err.startswith(f"error[E702]: cannot write {bundle / 'artifacts' / 'out.npz'}: it is inside the bundle")
    with pytest.raises(SpecError, match=rf"E704\]: {bundle / 'again'} is inside the bundle {bundle}"):
        check_output(bundle / "again")
    assert sorted(bundle.rglob("*")) == before
    # Other programs have a `manifest.json` too.
    (folder / "site").mkdir()
    (folder / "site" / "manifest.json").write_text("{}")
    check_output(folder / "site" / "new")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice(folder: Path) -> None:
    one = io.BytesIO()
    np.save(one, IDS)
    with zipfile.ZipFile(folder / "in.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("ids.npy", one.getvalue())
    with pytest.raises(SpecError, match="contains `ids` more than once"):
        read_arrays(folder / "in.npz", TYPES)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("attend", "BUNDLE", "--weights", "x.safetensors", "--inputs", "in.npz", "-o", "a.svg"), 2, "own spec and"),
        (("attend", ".", "--inputs", "in.npz", "-o", "a.svg"), 1, "is not a bundle: it has no manifest.json"),
        (("verify", "."), 1, "is not a bundle: it has no manifest.json"),
        (("run", "BUNDLE", "--inputs", "in.npz", "--output", "out.txt"), 2, "does not end in .npz"),
        (("build", "small.yaml", "-o", "out", "--weights-layout", "x"), 1, "`x` is given without weights"),
        (("generate", "small.yaml", "--prompt-ids", "1", "--weights-layout", "x"), 2, "requires `--weights`"),
        (("generate", "small.yaml", "--prompt-ids", "1_0"), 2, "'1_0' is not a list of ids"),
        (("compile", "small.yaml", "-o", "-"), 1, "cannot write -: outputs are files"),
    ],
)
def test_options_that_do_not_apply(
    archspec: Command, folder: Path, bundle: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    write(folder / "in.npz", {"ids": IDS})
    ran = archspec(*(str(bundle) if one == "BUNDLE" else one for one in arguments))
    assert (ran.status, message in ran.err) == (status, True), ran.err
    assert not (folder / "-").exists()
