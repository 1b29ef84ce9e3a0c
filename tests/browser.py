"""Debian's Chromium, headless and cut off from every network, for tests of what a person looks at.

A test that needs it is skipped, with its reason, where there is none; `tools/test` installs it where it may.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""No name is resolved, so that only servers of the test itself are reached."""


def chromium() -> str:
    """The path of Chromium; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("needs Chromium: `apt-get install chromium`")


@contextmanager
def browser(*arguments: str) -> Iterator[Any]:
    """A headless, offline Chromium as a `playwright.sync_api.Browser`, with further command-line arguments."""
    path = chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    # Without a user namespace, as in most containers, the sandbox cannot start; all pages are the tests' own.
    arguments = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-component-update", OFFLINE, *arguments)
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(arguments))
        try:
            yield launched
        finally:
            launched.close()
