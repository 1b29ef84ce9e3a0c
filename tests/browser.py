"""Drives Chromium in tests, without a network: pages are opened, looked at, typed into, printed and watched.

The browser is spoken to by its own debugging protocol over two pipes, so that neither a driver nor a port is needed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from time import monotonic
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# A proxy at a port where nothing listens: a request that leaves the machine fails, and is seen to have been tried.
_OFFLINE = ("--proxy-server=127.0.0.1:9", "--proxy-bypass-list=<-loopback>;127.0.0.1")
_QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-extensions", "--disable-component-update", "--disable-background-networking", "--hide-scrollbars"),
    *("--disable-default-apps", "--disable-sync", "--metrics-recording-only", "--mute-audio"),
)
_SECONDS = 60.0
# Both are copied, to high numbers, before either is moved to its place, which may be that of the other.
_MOVED = """
import fcntl, os, sys
one, other = (fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3])
os.dup2(one, 3)
os.dup2(other, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def chromium() -> str:
    """The path of Chromium. Skips the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"no browser is installed: none of {', '.join(_NAMES)} is found")
    return found


class BrowserError(AssertionError):
    """The browser refused a command, did not answer in time, or a script in it failed."""


class Tab:
    """One page. `requests` are the addresses that it asked for, `console` what its scripts wrote and failed with."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.requests: list[str] = []
        self.console: list[str] = []
        self._loaded = False
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol and its answer. Raises BrowserError where it is refused."""
        return self._browser.send(method, parameters, self._session)

    def open(self, address: str | Path) -> None:
        """Open a file or an address, and wait until it and all that it loads is there."""
        self._loaded = False
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        found = self.send("Page.navigate", url=url)
        if "errorText" in found:
            raise BrowserError(f"{url}: {found['errorText']}")
        self._browser.wait(lambda: self._loaded, f"{url} to load")

    def evaluate(self, script: str) -> Any:
        """The value of an expression; a promise is waited for. It runs outside of the page's content policy."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return found["result"].get("value")

    def wait_for(self, script: str, seconds: float = _SECONDS) -> Any:
        """The first value of an expression that is true. Raises BrowserError after `seconds`."""
        end = monotonic() + seconds
        while not (found := self.evaluate(script)):
            if monotonic() > end:
                raise BrowserError(f"after {seconds:g} s still not: {script}")
            self._browser.pause(0.02)
        return found

    def size(self, width: int, height: int, *, scale: float = 1, mobile: bool = False) -> None:
        """Set the size of the window in CSS pixels; `mobile` obeys the viewport of the page as a telephone does."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def media(self, *, dark: bool = False, paper: bool = False) -> None:
        """Set what the page is shown on: a dark or light screen, or paper."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str, code: int, *, modifiers: int = 0) -> None:
        """Press a key by its name and its Windows code, such as `Tab` and 9; modifiers are 1 Alt, 2 Ctrl, 8 Shift."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
            )

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page as PNG; without `whole` only of what the window shows."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self, path: Path) -> None:
        """Print the page on A4."""
        # What a screen is emulated for would be printed as it looks there.
        self.send("Emulation.setEmulatedMedia", media="", features=[])
        found = self.send("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """Close the page."""
        self.send("Page.close")

    def took(self, event: Mapping[str, Any]) -> None:
        """Take note of an event of the browser."""
        match event["method"]:
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])
            case "Runtime.consoleAPICalled":
                words = (str(one.get("value", one.get("description", ""))) for one in event["params"]["args"])
                self.console.append(f"{event['params']['type']}: {' '.join(words)}")
            case "Runtime.exceptionThrown":
                details = event["params"]["exceptionDetails"]
                self.console.append(f"exception: {details.get('exception', {}).get('description', details['text'])}")
            case "Log.entryAdded":
                self.console.append(f"{event['params']['entry']['level']}: {event['params']['entry']['text']}")
            case _:
                pass


class Browser:
    """A running Chromium."""

    def __init__(self, process: subprocess.Popen[bytes], inward: int, outward: int) -> None:
        self._process, self._inward, self._outward = process, inward, outward
        self._rest = b""
        self._count = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._tabs: dict[str, Tab] = {}

    def tab(self) -> Tab:
        """A new empty page with cookies and storage of its own."""
        context = self.send("Target.createBrowserContext", {})["browserContextId"]
        target = self.send("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        return tab

    def send(self, method: str, parameters: Mapping[str, Any], session: str | None = None) -> dict[str, Any]:
        """A command and its answer. Raises BrowserError where it is refused or not answered in time."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._inward, data) :]
        self.wait(lambda: number in self._answers, f"an answer to {method}")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def wait(self, is_there: Callable[[], bool], what: str) -> None:
        """Take messages until something is there. Raises BrowserError where it takes too long."""
        end = monotonic() + _SECONDS
        while not is_there():
            left = end - monotonic()
            if left <= 0:
                raise BrowserError(f"waited {_SECONDS:g} s for {what}")
            self.pause(left)

    def pause(self, seconds: float) -> None:
        """Take the messages that come within some time, or the first ones if they come earlier."""
        if not select([self._outward], [], [], seconds)[0]:
            return
        found = os.read(self._outward, 1 << 20)
        if not found:
            raise BrowserError(f"the browser has ended with status {self._process.poll()}")
        *messages, self._rest = (self._rest + found).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            elif (tab := self._tabs.get(message.get("sessionId", ""))) is not None:
                tab.took(message)


@contextmanager
def browser(*options: str) -> Iterator[Browser]:
    """A browser that reaches nothing but files and this machine. Skips the test where none is installed."""
    path = chromium()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        # Chromium reads commands from descriptor 3 and writes to 4.
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        words = [path, *_QUIET, *_OFFLINE, f"--user-data-dir={profile}", "--remote-debugging-pipe", *options]
        started = subprocess.Popen(
            [sys.executable, "-I", "-c", _MOVED, str(theirs_in), str(theirs_out), *words],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(started, ours_in, ours_out)
        finally:
            # Its children are of the same group, and of no other.
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            os.close(ours_in)
            os.close(ours_out)
