"""The report in a browser: it asks for nothing, fits its window, is legible and passes axe-core; and it prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.views.html.document import Reported, document
from tests.axe import violations
from tests.browser import Tab, browser
from tests.views.hostile import MARKUP, hostile
from tests.views.test_report import EVERY, page

pytestmark = pytest.mark.slow

SCREENS = {"wide and light": (1280, False), "narrow and dark": (360, True)}


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as found:
        yield found.tab()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def written(folder: Path, name: str) -> Path:
    file = folder / f"{name}.html"
    if not file.exists():
        file.write_text(hostile_page(folder) if name == "hostile" else page(name), encoding="utf-8")
    return file


def hostile_page(folder: Path) -> str:
    spec = folder / "hostile.yaml"
    spec.write_text(hostile(3), encoding="utf-8")
    return document([Reported(label=MARKUP, report=check(spec))])


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", [*EVERY, "hostile"])
def test_a_report_fits_asks_for_nothing_and_is_accessible(tab: Tab, folder: Path, name: str, screen: str) -> None:
    width, dark = SCREENS[screen]
    file = written(folder, name)
    tab.size(width, 800, mobile=width < 500)
    tab.media(dark=dark)
    tab.requests.clear()
    tab.console.clear()
    tab.open(file)
    assert tab.requests == [file.as_uri()]
    assert tab.console == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # What does not fit is in a group that scrolls, and that the keyboard reaches.
    assert tab.evaluate("[...document.querySelectorAll('.scroll')].every(one => one.tabIndex === 0)")
    assert violations(tab) == []


def test_the_first_key_leads_past_the_contents(tab: Tab, folder: Path) -> None:
    tab.open(written(folder, "transformer-base"))
    tab.press("Tab", 9)
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().width > 50")


def test_on_paper_nothing_is_cut_off(tab: Tab, folder: Path) -> None:
    tab.open(written(folder, "bundle"))
    # The width of A4 without its margins, in CSS pixels.
    tab.size(720, 1000)
    tab.media(paper=True, dark=True)
    assert tab.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = "[...document.querySelectorAll('table, svg, pre')].filter(one => one.getBoundingClientRect().right > 721)"
    assert tab.evaluate(f"{wide}.map(one => one.textContent.slice(0, 60))") == []
    tab.pdf(folder / "bundle.pdf")
    assert (folder / "bundle.pdf").read_bytes().startswith(b"%PDF")


def test_axe_finds_what_is_wrong(tab: Tab, folder: Path) -> None:
    file = folder / "wrong.html"
    file.write_text("<!doctype html><title>x</title><p style='color: #ccc; background: #fff'>faint", encoding="utf-8")
    tab.media()
    tab.open(file)
    assert {one.partition(":")[0] for one in violations(tab)} >= {"color-contrast", "html-has-lang"}
