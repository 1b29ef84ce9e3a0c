"""What the server answers, request by request."""

from __future__ import annotations

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from archspec.editing.rename import RenameRefusedError
from archspec.lsp import convert
from archspec.lsp.server import SpecServer

_REQUEST_FAILED = -32803
_TRIGGERS = [" ", ":", "(", "[", "{", ",", "."]


def make_server() -> SpecServer:
    """A server with all its features."""
    server = SpecServer()
    for register in (_texts, _telling, _names, _fixing):
        register(server)
    return server


def _texts(server: SpecServer) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.start(params.initialization_options)

    @server.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        server.read_folders()
        await server.watch()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders(_: types.DidChangeWorkspaceFoldersParams) -> None:
        server.read_folders()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        server.put(document.uri, document.text, document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        document = params.text_document
        server.put(document.uri, server.workspace.get_text_document(document.uri).source, document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.drop(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(_: types.DidSaveTextDocumentParams) -> None:
        server.check_all()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def on_disk(_: types.DidChangeWatchedFilesParams) -> None:
        server.check_all()


def _telling(server: SpecServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        place = convert.place_of(params.position)
        found = await server.ask(params.text_document.uri, lambda document: document.hover(place))
        return None if found is None else convert.hover(found)

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=_TRIGGERS))
    async def complete(params: types.CompletionParams) -> types.CompletionList:
        place = convert.place_of(params.position)
        found = await server.ask(params.text_document.uri, lambda document: document.completions(place))
        return convert.completions(found or ())

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def outline(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        found = await server.ask(params.text_document.uri, lambda document: document.outline())
        return [convert.symbol(one) for one in found or ()]

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def hints(params: types.InlayHintParams) -> list[types.InlayHint]:
        found = await server.ask(params.text_document.uri, lambda document: document.hints())
        first, last = params.range.start.line, params.range.end.line
        return [convert.hint(one) for one in found or () if first <= one.place.line <= last]


def _names(server: SpecServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def definition(params: types.DefinitionParams) -> list[types.Location]:
        place = convert.place_of(params.position)
        found = await server.ask(params.text_document.uri, lambda document: document.definition(place))
        return [convert.location(one, server.to_uri) for one in found or ()]

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    async def references(params: types.ReferenceParams) -> list[types.Location]:
        place, declared = convert.place_of(params.position), params.context.include_declaration
        found = await server.ask(
            params.text_document.uri, lambda document: document.references(place, declared=declared)
        )
        return [convert.location(one, server.to_uri) for one in found or ()]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    async def highlight(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
        place = convert.place_of(params.position)
        found = await server.ask(params.text_document.uri, lambda document: document.highlights(place))
        return [types.DocumentHighlight(convert.to_range(one)) for one in found or ()]

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    async def prepare(params: types.PrepareRenameParams) -> types.Range | None:
        place = convert.place_of(params.position)
        found = await server.ask(params.text_document.uri, lambda document: document.renamable(place))
        return None if found is None else convert.to_range(found)

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def rename(params: types.RenameParams) -> types.WorkspaceEdit:
        place, new = convert.place_of(params.position), params.new_name
        try:
            edits = await server.ask(params.text_document.uri, lambda document: document.rename(place, new))
        except RenameRefusedError as error:
            raise JsonRpcException(str(error), code=_REQUEST_FAILED) from None
        return convert.workspace_edit(edits or (), server.to_uri)


def _fixing(server: SpecServer) -> None:
    kinds = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)
    async def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        only, uri = params.context.only, params.text_document.uri
        if only is not None and types.CodeActionKind.QuickFix not in only:
            return []
        extent = convert.extent_of(params.range)
        found = await server.ask(uri, lambda document: document.fixes(extent))
        return [convert.action(one, uri, server.to_uri) for one in found or ()]
