"""The driver of Chromium sees what a page does: what it asks for, what it logs, and what its scripts fail with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import BrowserError, browser

pytestmark = pytest.mark.slow

PAGE = """<!doctype html><title>tried</title><input id="field"><script>console.log("said"); missing()</script>
<img src="http://archspec.invalid/picture.png">"""


def test_requests_logs_and_failures_are_seen_and_nothing_is_reached(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGE, encoding="utf-8")
    with browser() as found:
        tab = found.tab()
        tab.open(file)
        assert tab.requests == [file.as_uri(), "http://archspec.invalid/picture.png"]
        assert tab.evaluate("document.images[0].naturalWidth") == 0
        assert "log: said" in tab.console
        assert any("missing is not defined" in line for line in tab.console)
        assert any("ERR_PROXY_CONNECTION_FAILED" in line for line in tab.console)
        tab.evaluate("document.getElementById('field').focus()")
        tab.type("typed")
        assert tab.evaluate("Promise.resolve(document.getElementById('field').value)") == "typed"
        with pytest.raises(BrowserError, match="no_such"):
            tab.evaluate("no_such()")
        tab.size(390, 844, mobile=True)
        tab.media(dark=True)
        assert tab.evaluate("[innerWidth >= 390, matchMedia('(prefers-color-scheme: dark)').matches]") == [True, True]
        tab.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
