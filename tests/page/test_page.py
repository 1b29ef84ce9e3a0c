"""The page, made by one command and driven in a browser without a network."""

from __future__ import annotations

import functools
import json
import re
import time
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from archspec.diagnostics import SpecError
from archspec.page.answer import answer
from archspec.page.building import MANIFEST, build, document
from archspec.page.components import components, editor_components
from archspec.spec.shipped import shipped_specs_dir
from tests.browser import Tab, browser
from tests.diagnostics.corpus_case import CASES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DECODER = re.search(r"```yaml\n(# decoder\.yaml\n.*?)```", README, re.DOTALL)[1]  # type: ignore[index]
MOST_COMPRESSED = 12_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, kept_cache: None) -> Path:
    made = tmp_path_factory.mktemp("page") / "page"
    try:
        build(made)
    except SpecError as error:
        if error.diagnostics[0].code != "E764":
            raise
        pytest.skip(f"no registry, or no client of one: {error.diagnostics[0].message}")
    return made


@pytest.fixture(scope="module")
def kept_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What was fetched once, by the tests too, is not fetched again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ARCHSPEC_CACHE")
        yield


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def tab(address: str) -> Iterator[Tab]:
    with browser() as opened:
        made = opened.tab()
        made.size(1400, 900)
        made.open(address)
        settled(made)
        yield made


SETTLED = "document.body.dataset.settled === 'yes'"


def settled(tab: Tab) -> None:
    tab.wait_for(SETTLED, 120)


def shown(tab: Tab, selector: str) -> str:
    return str(tab.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))


def written(tab: Tab, text: str) -> float:
    """Put a text into the editor by the keyboard; returns the seconds until its verdict is there."""
    began = time.perf_counter()
    paste(tab, text)
    settled(tab)
    return time.perf_counter() - began


def paste(tab: Tab, text: str) -> None:
    """Put a text into the editor; CodeMirror indents after a typed line break, and takes a pasted text as it is."""
    tab.evaluate("document.querySelector('.cm-content').focus()")
    tab.press("a", 65, modifiers=2)
    script = f"""(() => {{
      const data = new DataTransfer();
      data.setData('text/plain', {json.dumps(text)});
      const event = new ClipboardEvent('paste', {{clipboardData: data, bubbles: true, cancelable: true}});
      document.querySelector('.cm-content').dispatchEvent(event);
    }})()"""
    tab.evaluate(script)


@pytest.mark.slow
def test_names_a_leak_while_it_is_typed_and_proves_the_mended_file(tab: Tab, address: str) -> None:
    assert "holds" in shown(tab, "#verdict")
    assert "124,439,808 parameters" in shown(tab, "#summary")
    written(tab, DECODER)
    assert "E440" in shown(tab, "#part-findings")
    assert "does not hold" in shown(tab, "#verdict")
    assert tab.evaluate("document.querySelector('.cm-lintRange-error')?.textContent") == "all"
    # The pictures of the last text that could be read stay, and say so.
    assert tab.evaluate("document.querySelectorAll('#part-picture svg').length") == 1
    assert "Of the last text that could be read" in shown(tab, "#panel-verdicts")
    written(tab, DECODER.replace("mask: all", "mask: causal"))
    assert shown(tab, "#part-verdicts").count("proved") >= 2
    assert "1,466,112 parameters" in shown(tab, "#summary")
    assert tab.evaluate("document.querySelectorAll('.cm-lintRange-error').length") == 0
    assert tab.evaluate("document.getElementById('verdict').className") == "badge good"
    # The same leak where no block forbids it: the rule is violated, and the way of the leak is drawn.
    leak = DECODER.replace("block: decoder", "block: transformer")
    written(tab, leak)
    assert "violated" in shown(tab, "#part-verdicts")
    assert tab.evaluate("document.querySelector('.cm-lintRange-error')?.textContent") == "all"
    # Letters typed one by one at the place of the finding mend it.
    tab.evaluate("document.querySelector('.goto').click()")
    tab.type("causal")
    settled(tab)
    assert "✓ holds" in shown(tab, "#verdict")
    assert all(one.startswith((address, "data:", "blob:")) for one in tab.requests)
    assert tab.console == []


@pytest.mark.slow
def test_every_tab_shows_its_part_and_sizes_slide(tab: Tab) -> None:
    written(tab, DECODER.replace("mask: all", "mask: causal"))
    for key, words in (
        ("masks", "keys"),
        ("relations", "ids"),
        ("tree", "logits"),
        ("costs", "FLOP"),
        ("module", "nn.Module"),
    ):
        tab.evaluate(f"document.getElementById('tab-{key}').click()")
        settled(tab)
        tab.wait_for(f"document.getElementById('panel-{key}').textContent.includes({json.dumps(words)})", 20)
        assert tab.evaluate("[...document.querySelectorAll('[role=tab]')].filter(x => x.tabIndex === 0).length") == 1
    tab.evaluate("document.getElementById('tab-costs').click()")
    settled(tab)
    assert "764 MFLOP" in shown(tab, "#part-costs")
    slide = (
        "const s = document.querySelectorAll('#sizes input')[1]; s.value = s.max; s.dispatchEvent(new Event('input'));"
    )
    tab.evaluate(f"(() => {{ {slide} }})()")
    tab.wait_for("document.getElementById('part-costs').textContent.includes('length 256')", 20)
    assert "764 MFLOP" not in shown(tab, "#part-costs")
    # By the keyboard alone: arrows move between tabs.
    tab.evaluate("document.getElementById('tab-costs').focus()")
    tab.press("ArrowRight", 39)
    assert tab.evaluate("document.activeElement.id") == "tab-module"
    tab.press("Home", 36)
    assert tab.evaluate("document.querySelector('[aria-selected=true]').id") == "tab-verdicts"


@pytest.mark.slow
def test_tells_completes_and_mends(tab: Tab) -> None:
    text = DECODER.replace("mask: all", "mask: causal")
    written(tab, text)
    place = """(() => {{
      const walk = document.createTreeWalker(document.querySelector('.cm-content'), NodeFilter.SHOW_TEXT);
      for (let one = walk.nextNode(); one; one = walk.nextNode()) if (one.textContent.includes({word!r})) {{
        const range = document.createRange();
        range.selectNode(one);
        const box = range.getBoundingClientRect();
        return [box.left + 6, box.top + box.height / 2];
      }}
    }})()"""
    x, y = tab.evaluate(place.format(word="states"))
    tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    tab.wait_for("document.querySelector('.told')?.textContent.includes('float[batch, length, 128]')", 20)
    tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=1300, y=800)
    # A word that is no mask: its help is applied, and a letter more asks for what may stand there.
    written(tab, text.replace("mask: causal", "mask: causl"))
    tab.wait_for("document.querySelectorAll('.goto').length === 2")
    tab.evaluate("document.querySelectorAll('.goto')[1].click()")
    tab.wait_for("document.getElementById('verdict').textContent === '✓ holds'", 20)
    written(tab, text.replace("activation: gelu}", "activation: r}"))
    tab.evaluate("document.querySelector('.goto').click()")
    tab.type("re")
    tab.wait_for("document.querySelector('.cm-tooltip-autocomplete')?.textContent.includes('relu')", 20)
    # CodeMirror takes no choice in the first moments, so that none is taken by mistake.
    time.sleep(0.2)
    tab.press("Enter", 13)
    tab.wait_for("document.getElementById('verdict').textContent === '✓ holds'", 20)


@pytest.mark.slow
def test_a_link_holds_the_file_and_runs_nothing(tab: Tab, address: str) -> None:
    evil = "</script><img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    text = DECODER.replace("name: small-decoder", f"name: small\n'{evil}': {evil!r}").replace("A small", f"{evil} é😀")
    before = tab.evaluate("location.hash")
    written(tab, text)
    # The link follows the text, and may still be that of the text before.
    tab.wait_for(f"location.hash.startsWith('#spec=') && location.hash !== {before!r}")
    link = tab.evaluate("location.href")
    tab.open("about:blank")
    tab.open(link)
    settled(tab)
    assert "onerror" in shown(tab, ".cm-content")
    assert tab.evaluate("document.title") != "run"
    assert tab.evaluate("document.querySelectorAll('img').length") == 0
    assert "does not hold" in shown(tab, "#verdict")
    # A damaged link opens the page all the same.
    tab.open("about:blank")
    tab.open(f"{address}#spec=AAAA")
    settled(tab)
    # It is still said once the text that is shown in its place has its verdict.
    assert "holds" in shown(tab, "#verdict")
    assert "damaged" in shown(tab, "#damaged")


@pytest.mark.slow
def test_a_part_that_fails_leaves_the_verdict_and_what_takes_too_long_is_given_up(tab: Tab, address: str) -> None:
    tab.open(address)
    settled(tab)
    # The worker is asked for a part that there is not, and once for nothing at all.
    tab.evaluate("""(() => {
      const post = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (data) {
        const request = JSON.parse(data.request);
        if (window.swallows && request.ask === 'answer') { window.swallows = false; return; }
        if (window.breaks && request.parts?.[0] === 'tree') request.parts = ['nothing'];
        post.call(this, { ...data, request: JSON.stringify(request) });
      };
      window.breaks = true;
    })()""")
    tab.evaluate("document.getElementById('tab-tree').click()")
    settled(tab)
    assert "The checker failed" in shown(tab, "#part-tree")
    assert shown(tab, "#verdict") == "✓ holds"
    tab.evaluate("window.breaks = false, window.swallows = true, document.getElementById('tab-verdicts').click()")
    text = DECODER.replace("mask: all", "mask: causal")
    paste(tab, text)
    tab.wait_for("window.swallows === false")
    tab.evaluate("(now => { performance.now = () => now.call(performance) + 20000; })(performance.now)")
    written(tab, text + "\n")
    assert "1,466,112 parameters" in shown(tab, "#summary")
    assert shown(tab, "#verdict") == "✓ holds"


@pytest.mark.slow
def test_is_at_most_twelve_megabytes_and_the_same_each_time(folder: Path) -> None:
    import gzip

    files = [path for path in folder.rglob("*") if path.is_file()]
    total = sum(len(gzip.compress(path.read_bytes(), 9)) for path in files)
    assert 5_000_000 < total <= MOST_COMPRESSED, total
    listed = json.loads((folder / MANIFEST).read_text())["files"]
    assert {path.relative_to(folder).as_posix() for path in files} == {*listed, MANIFEST}
    with zipfile.ZipFile(folder / "pyodide" / "python_stdlib.zip") as library:
        assert sum(name.endswith(".pyc") for name in library.namelist()) > 400
        assert not any(name.endswith(".py") for name in library.namelist())
    licences = (folder / "licenses.txt").read_text()
    assert all(f"{one.name} {one.version}" in licences for one in components())
    # A folder that holds anything else is left alone.
    for kept in (folder.parent / "other", folder):
        kept.mkdir(exist_ok=True)
        (kept / "mine.txt").write_text("mine")
        with pytest.raises(SpecError, match="E704"):
            build(kept)
        (kept / "mine.txt").unlink()


def test_the_document_runs_its_own_scripts_alone() -> None:
    text = document("worker", {"a": "./a.js"})
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "unsafe-inline" not in policy[1].split("script-src")[1].split(";")[0]
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_every_component_is_pinned_and_hashed() -> None:
    assert all(
        re.fullmatch(r"[0-9a-f]{64}", one.sha256) and re.fullmatch(r"\d+(\.\d+)+", one.version) for one in components()
    )
    assert len({one.file for one in components()}) == len(components())
    assert {one.client for one in editor_components()} == {"npm"}


def in_browser(tab: Tab, texts: dict[str, str]) -> dict[str, Any]:
    """What the worker of the page finds in texts, by the names of their files."""
    script = f"""(async () => {{
      const asked = (await import('./checker.js')).checker(), found = {{}};
      for (const [file, text] of Object.entries({json.dumps(texts)}))
        found[file] = (await asked.ask({{ask: 'answer', text, file, parts: [], sizes: {{}}}})).findings;
      return found;
    }})()"""
    found: dict[str, Any] = tab.evaluate(script)
    return found


def plain_cases() -> dict[str, str]:
    """Cases of the corpora that are one text without options; files that they name are not there for either side."""
    paths = [*CASES, *sorted((ROOT / "tests" / "cases").glob("*.yaml"))]
    texts = {path.name: path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff") for path in paths}
    return {name: text for name, text in texts.items() if "# options:" not in text}


@pytest.mark.slow
def test_finds_in_the_corpus_what_the_command_line_finds(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = plain_cases()
    assert len(texts) > 150
    found = in_browser(tab, texts)
    assert {name: one for name, one in found.items() if one != answer(texts[name], name)["findings"]} == {}


@pytest.mark.long
def test_finds_in_shipped_specs_what_the_command_line_finds(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {path.name: path.read_text("utf-8") for path in shipped_specs_dir().glob("*.yaml")}
    found = in_browser(tab, texts)
    assert {name: one for name, one in found.items() if one != answer(texts[name], name)["findings"]} == {}
