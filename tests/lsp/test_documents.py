"""Over a real client: documents of every sort, files that extend one another, and the answers themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from archspec.lsp.features import make_server
from archspec.lsp.server import SpecServer
from archspec.lsp.worker import Worker
from tests.editor.documents import DECODER, LEAKY, place
from tests.lsp.client import Editor, editor
from tests.lsp.said import checked, shown

CHILD = "archspec: 1\nextends: base.yaml\nname: child\nconstants: {heads: 2}\n"


def position(text: str, before: str) -> types.Position:
    found = place(text, before)
    return types.Position(found.line, found.character)


def codes(found: list[types.Diagnostic]) -> list[str]:
    return [str(one.code) for one in found]


async def settled(client: Editor, uri: str, wanted: list[str]) -> list[types.Diagnostic]:
    """What is said of a document once it says this: another document has changed."""
    async with asyncio.timeout(30):
        while codes(list(client.told[uri].diagnostics)) != wanted:
            await asyncio.sleep(0.01)
    return list(client.told[uri].diagnostics)


@pytest.mark.asyncio
async def test_texts_of_every_sort(tmp_path: Path) -> None:
    texts = {
        "empty.yaml": "",
        "blank.yaml": "\n\n",
        "binary.yaml": "\x00\x01\x7fELF\u0002\ufffd",
        "windows.yaml": DECODER.replace("\n", "\r\n").replace("d_model: 16", "d_model: 18"),
        "old mac.yaml": LEAKY.replace("\n", "\r"),
        "tabs.yaml": DECODER.replace("    layers: 2", "\tlayers: 2"),
        "marked.yaml": "\ufeff" + LEAKY,
        "huge.yaml": DECODER + "# " + "x" * 300_000 + "\n",
        "deep.yaml": "[" * 500,
        "wide.yaml": DECODER.replace("name: small", "name: small\nabout: 😀😀 𝒳 日本 e\u0301").replace(
            "heads: 4", "heads: 5"
        ),
        "separators.yaml": LEAKY.replace("name: small", 'name: small\nabout: "a\u2028b\u2029c\x85d"'),
        "größe %41 #1.yaml": LEAKY,
        "notes.txt": "these are no specs",
    }
    async with editor(tmp_path) as client:
        for name, text in texts.items():
            path = tmp_path / name
            path.write_bytes(text.encode())
            told, wanted = await client.open(path.as_uri(), text), checked(path)
            found = shown(told, wanted)
            if name == "marked.yaml":
                # Of the file the mark is no character, of the text of an editor it is one.
                assert [one[:3] for one in found] == [one[:3] for one in wanted]
            else:
                assert found == wanted, name
            assert wanted or name in ("windows.yaml",), name
            end = types.Position(text.count("\n") + 5, 0)
            document = types.TextDocumentIdentifier(path.as_uri())
            assert await client.client.text_document_hover_async(types.HoverParams(document, end)) is None
            await client.client.text_document_completion_async(types.CompletionParams(document, types.Position(0, 0)))


@pytest.mark.asyncio
async def test_places_count_utf_16_whatever_the_client_prefers(tmp_path: Path) -> None:
    text = DECODER.replace("rules:\n", 'rules:\n  - {"😀😀": 1, causal: {output: logits, input: idz}}\n')
    general = types.GeneralClientCapabilities(
        position_encodings=[types.PositionEncodingKind.Utf8, types.PositionEncodingKind.Utf32]
    )
    async with editor(tmp_path, general) as client:
        assert client.client.capabilities is not None
        (tmp_path / "a.yaml").write_text(text, "utf-8")
        told = await client.open((tmp_path / "a.yaml").as_uri(), text)
        wanted = checked(tmp_path / "a.yaml")
        assert shown(told, wanted) == wanted
        line = next(number for number, one in enumerate(text.split("\n")) if "😀" in one)
        at = next(one.range for one in told if one.range.start.line == line)
        assert (at.start.character, at.end.character) == (5, 11)


@pytest.mark.asyncio
async def test_a_document_that_was_never_saved(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DECODER, "utf-8")
    async with editor(tmp_path) as client:
        assert await client.open("untitled:Untitled-1", CHILD) == []
        assert await client.change("untitled:Untitled-1", CHILD.replace("2}", "3}")) != []
        found = await client.change("untitled:Untitled-1", CHILD.replace("base.yaml", "bass.yaml"))
        assert codes(found) == ["E208"]
        document = types.TextDocumentIdentifier("untitled:Untitled-1")
        actions = await client.client.text_document_code_action_async(
            types.CodeActionParams(document, found[0].range, types.CodeActionContext(found))
        )
        assert [one.title for one in actions] == ["write `base.yaml`"]


@pytest.mark.asyncio
async def test_another_text_of_a_file_is_a_document_of_its_own(tmp_path: Path) -> None:
    """An editor shows the committed text beside the file, and a file under the name of a link to it."""
    base, link = tmp_path / "specs" / "base.yaml", tmp_path / "link.yaml"
    base.parent.mkdir()
    base.write_text(DECODER, "utf-8")
    link.symlink_to(base)
    (tmp_path / "specs" / "child.yaml").write_text(CHILD, "utf-8")
    async with editor(tmp_path) as client:
        old = [f"git:{tmp_path}/specs/{name}.yaml?%7B%22ref%22%3A%22~%22%7D" for name in ("base", "child")]
        index = old[0].replace("~", "")
        assert await client.open(base.as_uri(), DECODER) == []
        assert codes(await client.open(old[0], LEAKY)) == ["E420"]
        assert await client.open(index, DECODER) == []
        assert await client.open(old[1], CHILD) == []
        assert await client.open(link.as_uri(), DECODER) == []
        assert codes(await client.change(link.as_uri(), LEAKY)) == ["E420"]
        assert await client.change(base.as_uri(), f"# changed\n{DECODER}") == []
        await client.close(link.as_uri())
        assert codes(await client.change(base.as_uri(), f"# changed\n{LEAKY}")) == ["E420"]
        await settled(client, old[1], ["E420"])
        # What is to be saved there already counts there.
        new = f"untitled:{tmp_path}/specs/new.yaml"
        assert await client.open(new, DECODER.replace("small", "new")) == []
        assert codes(await client.change(new, CHILD.replace("base.yaml", "new.yaml"))) == ["E207"]


@pytest.mark.asyncio
async def test_a_check_that_fails_leaves_nothing_old_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[types.PublishDiagnosticsParams] = []
    server = make_server()
    monkeypatch.setattr(server, "text_document_publish_diagnostics", told.append)
    monkeypatch.setattr(server, "window_log_message", lambda _: None)
    monkeypatch.setattr(SpecServer, "_folders", lambda _: (tmp_path,))
    uri = (tmp_path / "small.yaml").as_uri()

    async def put(text: str, version: int) -> list[types.Diagnostic]:
        server.put(uri, text, version)
        assert server.checking is not None
        await server.checking
        assert (told[-1].uri, told[-1].version) == (uri, version)
        return list(told[-1].diagnostics)

    assert codes(await put(LEAKY, 1)) == ["E420"]
    with monkeypatch.context() as broken:
        broken.setattr(Worker, "find", lambda *_, **__: 1 / 0)
        (found,) = await put(DECODER, 2)
    assert "a fault of archspec: ZeroDivisionError" in found.message
    assert await put(f"# more\n{DECODER}", 3) == []


@pytest.mark.asyncio
async def test_files_that_extend_an_open_one_follow_its_text(tmp_path: Path) -> None:
    base, one, two = (tmp_path / name for name in ("base.yaml", "one.yaml", "two.yaml"))
    base.write_text(DECODER, "utf-8")
    async with editor(tmp_path) as client:
        for path in (one, two):
            assert await client.open(path.as_uri(), CHILD) == []
        assert await client.open(base.as_uri(), DECODER) == []
        assert codes(await client.change(base.as_uri(), LEAKY)) == ["E420"]
        for path in (one, two):
            (found,) = await settled(client, path.as_uri(), ["E420"])
            # The leak is in the other file: here it is said where that file is named.
            assert found.range.start == position(CHILD, "|base.yaml")
            assert [where.location.uri for where in found.related_information or []] == [base.as_uri()] * 2
        # A text that does not parse, and then the file as it is on disk.
        await client.change(base.as_uri(), DECODER.replace("dims:", "dims: {"))
        (found,) = await settled(client, one.as_uri(), ["E101"])
        await client.close(base.as_uri())
        await settled(client, one.as_uri(), [])
        # A file that is gone, and comes back.
        base.unlink()
        changes = [types.FileEvent(base.as_uri(), types.FileChangeType.Deleted)]
        client.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes))
        await settled(client, two.as_uri(), ["E208"])
        base.write_text(LEAKY, "utf-8")
        client.client.text_document_did_save(
            types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(one.as_uri()))
        )
        await settled(client, two.as_uri(), ["E420"])


@pytest.mark.asyncio
async def test_a_file_that_was_deleted_is_still_the_text_of_the_editor(tmp_path: Path) -> None:
    path = tmp_path / "gone.yaml"
    path.write_text(DECODER, "utf-8")
    async with editor(tmp_path) as client:
        assert await client.open(path.as_uri(), DECODER) == []
        path.unlink()
        assert codes(await client.change(path.as_uri(), LEAKY)) == ["E420"]


@pytest.mark.asyncio
async def test_the_answers(tmp_path: Path) -> None:
    base, child = tmp_path / "base.yaml", tmp_path / "child.yaml"
    child.write_text(CHILD, "utf-8")
    base.write_text(DECODER, "utf-8")
    async with editor(tmp_path) as client:
        text = DECODER
        document = types.TextDocumentIdentifier(base.as_uri())
        await client.open(base.as_uri(), text)
        ask = client.client

        hover = await ask.text_document_hover_async(types.HoverParams(document, position(text, "|states:")))
        assert "`float[batch, length, 16]`" in hover.contents.value
        offered = await ask.text_document_completion_async(
            types.CompletionParams(document, position(text, "mask: |causal"))
        )
        assert {one.label for one in offered.items} >= {"causal", "key_valid"}
        assert offered.items[0].text_edit.range.start == position(text, "mask: |causal")
        outline = await ask.text_document_document_symbol_async(types.DocumentSymbolParams(document))
        assert [one.name for one in outline][-1] == "rules"
        whole = types.Range(types.Position(0, 0), types.Position(99, 0))
        hints = await ask.text_document_inlay_hint_async(types.InlayHintParams(document, whole))
        assert ": float[batch, length, 50]" in {one.label for one in hints}
        first = types.Range(types.Position(0, 0), types.Position(5, 0))
        few = await ask.text_document_inlay_hint_async(types.InlayHintParams(document, first))
        assert [one.label for one in few] == ["= 64"]
        (defined,) = await ask.text_document_definition_async(
            types.DefinitionParams(document, position(text, "dim: |d_model"))
        )
        assert defined.uri == base.as_uri()
        assert defined.range.start == position(text, "|d_model: 16")

        at = position(text, "|heads: 4")
        found = await ask.text_document_prepare_rename_async(types.PrepareRenameParams(document, at))
        assert found == types.Range(at, position(text, "heads|: 4"))
        nothing = types.PrepareRenameParams(document, position(text, "resid|ual"))
        assert await ask.text_document_prepare_rename_async(nothing) is None
        edit = await ask.text_document_rename_async(types.RenameParams(document, at, "many"))
        assert {uri: len(edits) for uri, edits in edit.changes.items()} == {base.as_uri(): 2, child.as_uri(): 1}
        with pytest.raises(JsonRpcException, match="`causal` is a reserved word"):
            await ask.text_document_rename_async(types.RenameParams(document, at, "causal"))


@pytest.mark.asyncio
async def test_a_document_that_is_not_open_has_no_answers(tmp_path: Path) -> None:
    async with editor(tmp_path) as client:
        document = types.TextDocumentIdentifier((tmp_path / "never.yaml").as_uri())
        assert await client.client.text_document_hover_async(types.HoverParams(document, types.Position(0, 0))) is None
        assert not await client.client.text_document_document_symbol_async(types.DocumentSymbolParams(document))


@pytest.mark.asyncio
async def test_files_of_yaml_that_are_no_specs_are_left_alone(tmp_path: Path) -> None:
    async with editor(tmp_path, every=False) as client:
        uri = (tmp_path / "workflow.yml").as_uri()
        assert await client.open(uri, "name: tests\non: push\njobs: {test: &a {}}\n") == []
        assert await client.change(uri, "") == []
        document = types.TextDocumentIdentifier(uri)
        offered = await client.client.text_document_completion_async(
            types.CompletionParams(document, types.Position(0, 0))
        )
        assert "archspec" in {one.label for one in offered.items}
        assert "E222" in codes(await client.change(uri, "archspec: 2\n"))
        other = (tmp_path / "braces.yaml").as_uri()
        assert "E222" in codes(await client.open(other, '{\n  "name": "x",\n  "archspec": 2\n}\n'))
        # Once it was a spec it stays one.
        assert codes(await client.change(uri, "name: x\n")) != []


def test_without_the_package_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from archspec.cli import cli, lsp_command
    from archspec.diagnostics import SpecError

    monkeypatch.setattr(lsp_command, "find_spec", lambda name: None)
    found = CliRunner().invoke(cli, ["lsp"])
    assert isinstance(found.exception, SpecError)
    assert [one.code for one in found.exception.diagnostics] == ["E604"]


@pytest.mark.asyncio
async def test_a_request_of_a_wrong_shape_is_answered_with_an_error(tmp_path: Path) -> None:
    async with editor(tmp_path) as client:
        uri = (tmp_path / "small.yaml").as_uri()
        await client.open(uri, DECODER)
        wrong = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(0, 0))
        # The types of a client refuse what some clients send.
        object.__setattr__(wrong.position, "line", -1)
        async with asyncio.timeout(30):
            with pytest.raises(JsonRpcException, match=r"invalid value @ \$.params.position") as found:
                await client.client.text_document_hover_async(wrong)
        assert found.value.code == -32602
        # The next request is answered as ever.
        place = types.HoverParams(types.TextDocumentIdentifier(uri), position(DECODER, "|states:"))
        assert await client.client.text_document_hover_async(place) is not None


@pytest.mark.asyncio
async def test_a_refused_request_leaves_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    protocol, sent = make_server().protocol, list[object]()
    protocol._send_data = sent.append

    async def asked(error: Exception) -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        protocol._send_handler_result(future, msg_id=len(sent))

    await asked(JsonRpcException("`causal` is a reserved word", code=-32803))
    assert [(one.id, one.error.code) for one in sent] == [(0, -32803)]
    assert caplog.records == []
    # What the server did not mean to refuse is in its log.
    await asked(ZeroDivisionError())
    assert [one.error.code for one in sent] == [-32803, -32603]
    assert "ZeroDivisionError" in caplog.text
