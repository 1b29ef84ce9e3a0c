"""Specs at revisions of git: a file with the files that it names as they were, and what the command says of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.diff.revision import at_revision, revised
from archspec.spec import load
from tests.diff.test_meaning import DECODER


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits: in the second one the file that `child.yaml` extends, and its layout, are other ones."""
    git(tmp_path, "init", "-q", "-b", "main")
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "parent.yaml").write_text(DECODER, encoding="utf-8")
    (specs / "child.yaml").write_text("archspec: 1\nextends: ./parent.yaml\nname: child\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    (specs / "parent.yaml").write_text(DECODER.replace("activation: gelu", "activation: silu"), encoding="utf-8")
    (specs / "new.yaml").write_text(DECODER.replace("name: small", "name: new"), encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["diff", *arguments])


def test_a_parent_is_read_at_the_same_revision(repository: Path) -> None:
    found = said("--from", "HEAD~1", "specs/child.yaml")
    assert found.stdout == (
        "HEAD~1:specs/child.yaml -> specs/child.yaml\n"
        "  `states.layers.*.feed_forward`: gelu -> silu\n"
        "  a checkpoint of HEAD~1:specs/child.yaml loads as it is\n"
    )
    old, new = revised("HEAD~1:specs/child.yaml"), revised("main:./specs/child.yaml")
    assert old is not None and new is not None
    assert "gelu" in str(old.load().tree) and "silu" in str(new.load().tree)


def test_two_revisions_of_one_file(repository: Path) -> None:
    found = said("HEAD~1:specs/parent.yaml", "HEAD:specs/parent.yaml", "--json", "--exit-code")
    assert found.exit_code == 1
    data = json.loads(found.stdout)
    assert [one["text"] for one in data["changes"]] == ["`states.layers.*.feed_forward`: gelu -> silu"]
    assert data["checkpoint"]["loads"] is True
    assert said("HEAD:specs/parent.yaml", "specs/parent.yaml", "--exit-code").exit_code == 0


def test_a_file_from_a_folder_below_the_root(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "specs")
    assert str(at_revision("child.yaml", "main~1")) == "main~1:specs/child.yaml"
    assert said("child.yaml", "--from", "main~1").stdout.startswith("main~1:specs/child.yaml -> child.yaml\n")


def test_several_files_and_a_new_one(repository: Path) -> None:
    found = said("--from", "HEAD~1", "specs/new.yaml", "specs/child.yaml", "--json")
    data = json.loads(found.stdout)
    assert data["same"] is False
    assert [one["new"] for one in data["specs"] if "new" in one] == [True]
    assert said("--from", "HEAD~1", "specs/new.yaml").stdout == "specs/new.yaml is new since HEAD~1\n"


def test_a_file_with_another_name_is_compared_with_what_it_was(repository: Path) -> None:
    git(repository, "mv", "specs/child.yaml", "specs/heir.yaml")
    told = "HEAD~1:specs/child.yaml -> specs/heir.yaml\n  `states.layers.*.feed_forward`: gelu -> silu\n"
    assert said("--from", "HEAD~1", "specs/heir.yaml").stdout.startswith(told)
    git(repository, "commit", "-qm", "three")
    assert said("--from", "HEAD~2", "specs/heir.yaml").stdout.startswith(told.replace("~1", "~2"))


def test_a_file_that_is_gone_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "ci.yaml").write_text("on: push\n", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "three")
    for name in ("specs/parent.yaml", "specs/child.yaml", "specs/new.yaml", "ci.yaml"):
        (repository / name).unlink()
    (repository / "specs").rmdir()
    found = said("--from", "HEAD", "--skip-others", "--exit-code", "specs/parent.yaml", "ci.yaml")
    assert (found.exit_code, found.stdout) == (1, "specs/parent.yaml is gone since HEAD\n")
    data = json.loads(said("--from", "HEAD", "specs/parent.yaml", "--json").stdout)
    assert data == {"before": "specs/parent.yaml", "after": None, "same": False, "gone": True}


def test_a_parent_that_is_named_by_its_whole_path_is_of_the_revision_too(repository: Path) -> None:
    """As a shipped spec is, in the repository that ships it; a file outside of the commit is read from the disk."""
    (repository / ".venv").mkdir()
    (repository / ".venv" / "other.yaml").write_text(DECODER.replace("gelu", "relu"), encoding="utf-8")
    for name, parent in (
        ("whole", repository / "specs" / "parent.yaml"),
        ("outside", repository / ".venv" / "other.yaml"),
    ):
        text = f"archspec: 1\nextends: {parent}\nname: {name}\n"
        (repository / f"{name}.yaml").write_text(text, encoding="utf-8")
    git(repository, "add", "whole.yaml", "outside.yaml")
    git(repository, "commit", "-qm", "three")
    (repository / "specs" / "parent.yaml").write_text(DECODER, encoding="utf-8")
    assert "silu -> gelu" in said("--from", "HEAD", "whole.yaml").stdout
    assert "nothing changed" in said("--from", "HEAD", "outside.yaml").stdout


@pytest.mark.parametrize("name", ["gpt2", "-"])
def test_what_has_no_revisions_is_not_new(name: str, repository: Path) -> None:
    found = said("--from", "HEAD", name)
    assert isinstance(found.exception, SpecError)
    assert "which has no revisions" in found.exception.diagnostics[0].message


def test_the_name_of_a_file_is_no_markup(repository: Path) -> None:
    name = "specs/![x](http:)<b>`.yaml".replace("/", "_")
    (repository / name).write_text(DECODER, encoding="utf-8")
    found = said("--from", "HEAD", name, "--markdown").stdout
    assert found == "#### specs\\_!\\[x\\](http:)\\<b\\>'.yaml: is new since HEAD\n"


def test_nothing_is_run_that_a_repository_names(repository: Path) -> None:
    """A filter that shows blobs, and a hook, would leave a file behind."""
    witness = repository / "witness"
    (repository / ".gitattributes").write_text("*.yaml diff=evil filter=evil\n", encoding="utf-8")
    for name in ("diff.evil.textconv", "filter.evil.smudge", "diff.external", "core.fsmonitor", "core.pager"):
        git(repository, "config", name, f"touch {witness}; cat")
    assert said("--from", "HEAD~1", "specs/child.yaml").exit_code == 0
    assert not witness.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere:specs/child.yaml", "git knows no revision `nowhere`"),
        ("HEAD:specs/absent.yaml", "no such file at this revision"),
        ("--output=x:specs/child.yaml", "git knows no revision `--output=x`"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, message: str, repository: Path) -> None:
    with pytest.raises(SpecError) as raised:
        found = revised(text)
        assert found is not None
        found.load()
    (said_,) = raised.value.diagnostics
    assert said_.code == "E208"
    assert message in said_.message
    assert not (repository / "x").exists()


def test_outside_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DECODER, encoding="utf-8")
    with pytest.raises(SpecError, match="is in no git repository"):
        at_revision(str(tmp_path / "a.yaml"), "HEAD")


def test_a_parent_outside_of_the_repository_is_not_read(repository: Path) -> None:
    (repository / "specs" / "child.yaml").write_text("archspec: 1\nextends: ../../a.yaml\nname: child\n", "utf-8")
    git(repository, "commit", "-qam", "three")
    (repository.parent / "a.yaml").write_text(DECODER, encoding="utf-8")
    found = revised("HEAD:specs/child.yaml")
    assert found is not None
    with pytest.raises(SpecError, match=r"cannot read HEAD:specs/\.\./\.\./a\.yaml"):
        found.load()


def test_a_shipped_spec_and_a_file_with_a_colon_are_no_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("HEAD:a.yaml").write_text(DECODER, encoding="utf-8")
    assert revised("gpt2") is None
    assert revised("HEAD:a.yaml") is None
    assert load("HEAD:a.yaml").name == "small"
    assert revised("C:\\a.yaml") is None


def test_usage() -> None:
    assert "give two specs" in said("gpt2").output
    assert "not both" in said("gpt2", "gpt2", "--json", "--markdown").output


def test_markdown_shows_signs_as_they_are(repository: Path) -> None:
    found = said("HEAD~1:specs/parent.yaml", "specs/parent.yaml", "--markdown").stdout
    assert found.splitlines() == [
        "#### HEAD~1:specs/parent.yaml → specs/parent.yaml: 1 change in meaning",
        "",
        "- `states.layers.*.feed_forward`: gelu → silu",
        "- ✅ a checkpoint of HEAD~1:specs/parent.yaml loads as it is",
    ]
