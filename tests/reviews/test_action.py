"""The action for GitHub: its steps run as they are written, in a throw-away repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.diagnostics.test_sarif import check_log
from tests.reviews.throwaway import DECODER, OTHER, ROOT, commit, git, surroundings

BASE = {"specs/small.yaml": DECODER, ".github/workflows/ci.yml": OTHER}
WIDER = DECODER.replace("mask: last(3)", "mask: causal")
LEAKING = DECODER.replace("mask: last(3)", "mask: all")


@cache
def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / "action.yml").read_text("utf-8"), Loader=yaml.BaseLoader)
    return found


def step(name: str) -> dict[str, Any]:
    (found,) = [one for one in action()["runs"]["steps"] if one["name"] == name]
    return found


@dataclass(frozen=True)
class Ran:
    """How the script of a step ended, what it printed and what it gave to later steps."""

    status: int
    printed: str
    given: dict[str, str]


class Runner:
    """A repository with a base, and what a runner gives to the steps of a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = surroundings(folder)
        self.repository = folder / "repository"
        self.repository.mkdir()
        git(self.repository, self.environment, "init", "-q", "-b", "main")
        self.base = commit(self.repository, self.environment, BASE)

    def run(self, name: str, at: Path | None = None, **values: str) -> Ran:
        """Run the script of a step with these values of its environment; others are as the action says by default."""
        output, summary = self.folder / "output", self.folder / "summary"
        output.write_text("", encoding="utf-8")
        summary.write_text("", encoding="utf-8")
        inputs = {key: one.get("default", "") for key, one in action()["inputs"].items()}
        own = {
            key: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: inputs[found[1]], text)
            for key, text in step(name)["env"].items()
        }
        assert set(values) <= set(own)
        environment = (
            self.environment | own | {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)} | values
        )
        # As the runner calls a step whose shell is `bash`.
        script = self.folder / "step.sh"
        script.write_text(step(name)["run"], encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=at or self.repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        given = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        return Ran(done.returncode, done.stdout + done.stderr, given)

    def review(self, base: str | None = None, at: Path | None = None, **values: str) -> Ran:
        """Run the step that checks and compares."""
        return self.run("Check and compare", at, BASE=base or self.base, FOLDER=str(self.folder), **values)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_a_change_is_told_in_the_report_and_the_summary(runner: Runner) -> None:
    commit(runner.repository, runner.environment, {"specs/small.yaml": WIDER, "specs/new.yaml": DECODER})
    found = runner.review()
    assert (found.status, found.given["failed"], found.given["changed"]) == (0, "0", "true")
    report = Path(found.given["report"]).read_text("utf-8")
    assert report.startswith("<!-- archspec -->\n### archspec\n\n✅ every spec holds\n")
    assert "- ⚠️ mask of `states.layers.*.attention`: last(3) → causal, wider" in report
    assert f"#### specs/new.yaml: is new since {runner.base[:8]}" in report
    assert (runner.folder / "summary").read_text("utf-8") == report
    assert check_log(json.loads(Path(found.given["sarif"]).read_text("utf-8"))) == []


def test_a_rule_that_falls_fails_the_job_after_the_report(runner: Runner) -> None:
    commit(runner.repository, runner.environment, {"specs/small.yaml": LEAKING})
    found = runner.review()
    assert (found.status, found.given["failed"]) == (0, "1")
    assert "error[E420]" in found.printed
    report = Path(found.given["report"]).read_text("utf-8")
    assert "❌ some spec does not hold" in report
    assert "causal(output: logits, input: ids) was proved and is violated" in report
    results = check_log(json.loads(Path(found.given["sarif"]).read_text("utf-8")))
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results]
    assert "specs/small.yaml" in places
    last = action()["runs"]["steps"][-1]
    assert last["if"] == "steps.review.outputs.failed == '1'" and last["run"] == "exit 1"


def test_other_names_are_no_change(runner: Runner) -> None:
    commit(runner.repository, runner.environment, {"specs/small.yaml": DECODER.replace("states", "body")})
    found = runner.review()
    assert found.given["changed"] == "false"
    assert "nothing changed in meaning" in Path(found.given["report"]).read_text("utf-8")


def test_a_shallow_clone_fetches_the_base(runner: Runner) -> None:
    commit(runner.repository, runner.environment, {"specs/small.yaml": WIDER})
    git(runner.repository, runner.environment, "config", "uploadpack.allowAnySHA1InWant", "true")
    clone = runner.folder / "clone"
    git(runner.folder, runner.environment, "clone", "-q", "--depth=1", runner.repository.as_uri(), str(clone))
    found = runner.review(at=clone)
    assert found.given["changed"] == "true"
    assert "last(3) → causal" in Path(found.given["report"]).read_text("utf-8")


def test_a_branch_is_a_base_and_one_that_is_not_there_is_told(runner: Runner) -> None:
    git(runner.repository, runner.environment, "branch", "old")
    commit(runner.repository, runner.environment, {"specs/small.yaml": WIDER})
    clone = runner.folder / "clone"
    git(runner.folder, runner.environment, "clone", "-q", "--depth=1", runner.repository.as_uri(), str(clone))
    found = runner.review(base="old", at=clone)
    assert found.given["changed"] == "true"
    assert "last(3) → causal" in Path(found.given["report"]).read_text("utf-8")
    found = runner.review(base="nowhere", at=clone)
    assert (found.status, found.given["changed"]) == (0, "")
    assert "::warning::the base nowhere cannot be fetched" in found.printed
    assert "The base `nowhere` cannot be fetched" in Path(found.given["report"]).read_text("utf-8")


def test_a_spec_that_moved_and_one_that_is_gone(runner: Runner) -> None:
    base = commit(runner.repository, runner.environment, {"specs/other.yaml": DECODER.replace("small", "other") * 1})
    git(runner.repository, runner.environment, "mv", "specs/small.yaml", "specs/moved.yaml")
    git(runner.repository, runner.environment, "rm", "-q", ".github/workflows/ci.yml")
    (runner.repository / "specs" / "moved.yaml").write_text(WIDER, encoding="utf-8")
    git(runner.repository, runner.environment, "rm", "-q", "specs/other.yaml")
    commit(runner.repository, runner.environment, {})
    report = Path(runner.review(base=base).given["report"]).read_text("utf-8")
    assert f"#### {base[:8]}:specs/" in report and "→ specs/moved.yaml: 2 changes in meaning" in report
    assert "ci.yml" not in report
    assert ("is gone since" in report) != ("specs/other.yaml →" in report)


def test_a_new_branch_has_no_base(runner: Runner) -> None:
    found = runner.review(base="0" * 40)
    assert (found.status, found.given["changed"]) == (0, "")


def test_no_spec_is_an_error(runner: Runner) -> None:
    found = runner.review(SPECS="*.json")
    assert found.status == 1
    assert "no file matches *.json" in found.printed


GH = """#!/bin/sh
echo "$GH_TOKEN $@" >> "$CALLS"
for last; do true; done
case "$*" in
  *--paginate*) [ "$FAILS" = list ] && exit 1; printf '%s' "$OWN" ;;
  *) [ "$FAILS" = send ] && exit 1; exit 0 ;;
esac
"""


@pytest.mark.parametrize(
    ("own", "fails", "sent"),
    [
        ("", "", "--method POST repos/a/b/issues/7/comments"),
        ("https://x/repos/a/b/issues/comments/3\n", "", "--method PATCH https://x/repos/a/b/issues/comments/3"),
        ("", "send", "--method POST repos/a/b/issues/7/comments"),
        ("", "list", ""),
    ],
)
def test_a_comment_holds_the_report(own: str, fails: str, sent: str, runner: Runner) -> None:
    """A comment of its own is changed, and never one that another workflow wrote with the same token."""
    programs, calls = runner.folder / "programs", runner.folder / "calls"
    (programs / "gh").write_text(GH, encoding="utf-8")
    (programs / "gh").chmod(0o755)
    report = runner.folder / "report.md"
    report.write_text("<!-- archspec -->\n" + "ä" * 20, encoding="utf-8")
    runner.environment |= {"OWN": own, "FAILS": fails, "CALLS": str(calls), "GITHUB_REPOSITORY": "a/b"}
    found = runner.run("Comment", GH_TOKEN="secret", NUMBER="7", REPORT=str(report))
    assert found.status == 0
    # A fork's token may not comment, which is no fault of the change.
    assert ("the token may not comment" in found.printed) == bool(fails)
    first, *rest = calls.read_text("utf-8").splitlines()
    assert first.startswith("secret api --paginate repos/a/b/issues/7/comments --jq")
    assert rest == ([f"secret api {sent} --field body=@{report} --silent"] if sent else [])


def test_a_long_report_is_cut_between_characters(runner: Runner) -> None:
    programs = runner.folder / "programs"
    (programs / "gh").write_text('#!/bin/sh\ncase "$*" in *--paginate*) ;; *) echo "$@" ;; esac\n', encoding="utf-8")
    (programs / "gh").chmod(0o755)
    report = runner.folder / "report.md"
    report.write_text("<!-- archspec -->\n" + "ä" * 40_000, encoding="utf-8")
    runner.environment["GITHUB_REPOSITORY"] = "a/b"
    found = runner.run("Comment", GH_TOKEN="secret", NUMBER="7", REPORT=str(report))
    assert f"body=@{report}.short" in found.printed
    text = Path(f"{report}.short").read_text("utf-8")
    assert len(text) < 65_536
    assert text.endswith("ä\n\nThe rest is in the summary of the job.\n")


ALONE = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refused())
from archspec.__main__ import main
sys.argv = {argv}
main()
"""


def test_what_is_installed_is_all_that_is_loaded(tmp_path: Path) -> None:
    """The packages of the step are those of the project, but for some without which the commands run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    wanted = re.findall(r'"([a-z]+>=[\d.]+)"', step("Install archspec")["run"])
    assert wanted and set(wanted) <= set(project)
    absent = {re.split(r"\W", one)[0] for one in set(project) - set(wanted)}
    assert {"torch", "onnx"} <= absent
    (tmp_path / "leak.yaml").write_text(LEAKING, encoding="utf-8")
    (tmp_path / "small.yaml").write_text(DECODER, encoding="utf-8")
    for arguments, status in (
        (["check", "--sarif", "leak.yaml", "small.yaml"], 1),
        (["check", "--skip-others", "gpt2"], 0),
        (["diff", "--markdown", "small.yaml", "leak.yaml"], 0),
        (["diff", "--exit-code", "llama-2-7b", "mistral-7b"], 1),
    ):
        code = ALONE.format(absent=absent, argv=["archspec", *arguments])
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == status


def test_no_text_of_an_event_becomes_part_of_a_script() -> None:
    """What a branch or a title is called reaches a script by its environment alone, where it is not run."""
    for one in action()["runs"]["steps"]:
        assert "${{" not in one.get("run", "")
        assert one.get("shell", "bash") == "bash"


def test_outputs_and_steps_exist() -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    assert set(re.findall(r"inputs\.(\w+)", text)) == set(action()["inputs"])
    given = set(re.findall(r'echo "(\w+)=', step("Check and compare")["run"]))
    assert set(re.findall(r"steps\.review\.outputs\.(\w+)", text)) == given
