"""Opening: every flipped byte is found, no path leaves the folder, newer formats are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import archspec
from archspec.bundle.manifest import Manifest, read_manifest, write_manifest
from archspec.bundle.read import is_bundle
from archspec.bundle.verify import verify_bundle
from archspec.diagnostics import SpecError


def refusal(folder: Path) -> tuple[str, str]:
    with pytest.raises(SpecError) as raised:
        archspec.open(folder)
    found = raised.value.diagnostics[0]
    return found.code, found.message


def rewrite(folder: Path, **changes: object) -> None:
    """A manifest with other content and the digest that goes with it."""
    path = folder / "manifest.json"
    data = {**read_manifest(path.read_text()).model_dump(mode="json"), **changes}
    path.write_text(write_manifest(Manifest.model_validate_json(json.dumps(data))))


def test_a_flipped_byte_is_found_in_every_file(copy: Path) -> None:
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    assert len(files) == 8
    for path in files:
        content = path.read_bytes()
        for place in {0, len(content) // 2, len(content) - 1}:
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            code, message = refusal(copy)
            assert code in ("E705", "E707") if path.name == "manifest.json" else code == "E708", path
            assert path.name in message
        path.write_bytes(content)
    archspec.open(copy)


def test_every_byte_of_the_manifest_counts(copy: Path) -> None:
    path = copy / "manifest.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        with pytest.raises(SpecError) as raised:
            read_manifest((content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]).decode())
        assert raised.value.diagnostics[0].code in ("E705", "E706", "E707")


def test_a_missing_file(copy: Path) -> None:
    (copy / "files" / "tokenizer.json").unlink()
    assert refusal(copy) == ("E708", "`files/tokenizer.json` is missing")


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hostname", "files/../../outside.txt", "a\\b", ""])
def test_a_path_that_leaves_the_bundle(copy: Path, name: str) -> None:
    (copy.parent / "outside.txt").write_text("secret")
    entry = {"sha256": "0" * 64, "bytes": 6}
    rewrite(copy, files={**read_manifest((copy / "manifest.json").read_text()).model_dump()["files"], name: entry})
    assert refusal(copy) == ("E709", f"the manifest names `{name}`, which is not inside the bundle")


@pytest.mark.parametrize("linked", ["files/tokenizer.json", "files"])
def test_a_link_out_of_the_bundle(copy: Path, linked: str) -> None:
    path, outside = copy / linked, copy.parent / "moved"
    path.rename(outside)
    path.symlink_to(outside)
    assert refusal(copy)[0] == "E709"


def test_a_newer_format(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"archspec_bundle": 3', '"archspec_bundle": 4', 1))
    assert refusal(copy) == ("E706", "the bundle has format 4, this version of archspec reads formats 2 to 3")


def test_an_older_format(copy: Path) -> None:
    path = copy / "manifest.json"
    data = json.loads(path.read_text())
    del data["programs"]
    data |= {"archspec_bundle": 2, "digest": "0" * 64}
    text = json.dumps(data, indent=2) + "\n"
    path.write_text(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1))
    assert archspec.open(copy).manifest.programs == []


def test_what_is_no_bundle(tmp_path: Path) -> None:
    assert refusal(tmp_path)[0] == "E705"
    assert refusal(tmp_path / "nowhere")[0] == "E705"
    (tmp_path / "manifest.json").write_text('{"manifest_version": 3}')
    assert refusal(tmp_path)[0] == "E705"
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    assert refusal(tmp_path)[0] == "E707"


def test_a_manifest_at_odds_with_itself(copy: Path) -> None:
    data = read_manifest((copy / "manifest.json").read_text()).model_dump(mode="json")
    artifact = {**data["artifacts"][0], "files": ["artifacts/other.onnx"]}
    rewrite(copy, artifacts=[artifact])
    assert refusal(copy) == ("E707", "manifest.json contradicts itself")
    rewrite(copy, artifacts=[{**data["artifacts"][0], "target": "tensorrt-rtx:sm1"}])
    assert refusal(copy) == ("E707", "manifest.json cannot be parsed")
    broken = {**data["interface"], "outputs": {"states": "float[unknown]"}}
    rewrite(copy, artifacts=data["artifacts"], interface=broken)
    assert refusal(copy) == ("E707", "manifest.json cannot be parsed")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"files": []}, "has no file"), ({"profiles": [{"batch": [1, 2]}]}, "has an invalid profile")],
)
def test_an_artifact_at_odds_with_itself(copy: Path, change: dict[str, object], reason: str) -> None:
    entry = read_manifest((copy / "manifest.json").read_text()).model_dump(mode="json")["artifacts"][0]
    rewrite(copy, artifacts=[{**entry, **change}])
    with pytest.raises(SpecError) as raised:
        archspec.open(copy)
    assert [(one.code, one.notes) for one in raised.value.diagnostics] == [
        ("E707", (f"the artifact `{entry['target']}` {reason}",))
    ]


def test_files_that_agree_with_the_manifest_and_are_none(copy: Path) -> None:
    """A digest shows that a file is unchanged, not that it is right."""
    files = read_manifest((copy / "manifest.json").read_text()).model_dump()["files"]
    for name, code in (("report.json", "E707"), ("model.safetensors", "E523")):
        before = (copy / name).read_bytes()
        (copy / name).write_bytes(b"\xff")
        rewrite(copy, files={**files, name: {"sha256": hashlib.sha256(b"\xff").hexdigest(), "bytes": 1}})
        with pytest.raises(SpecError) as raised:
            list(verify_bundle(archspec.open(copy)))
        assert [one.code for one in raised.value.diagnostics] == [code]
        (copy / name).write_bytes(before)


def test_a_folder_is_a_bundle_unless_its_name_is_a_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("gpt2", "other", "bert-base"):
        Path(name).mkdir()
    Path("bert-base", "manifest.json").write_text("{}")
    Path("file.yaml").write_text("archspec: 1")
    named = {"gpt2": False, "other": True, "./gpt2": True, "bert-base": True, "file.yaml": False, "x" * 300: False}
    assert {name: is_bundle(name) for name in named} == named
    assert not is_bundle(None)
