"""The server: it keeps the newest texts, checks them one after another, and answers from the newest check.

Checks and answers run in one thread beside the event loop, so that reading what the client sends never waits for them.
A document that changes while it is checked is checked once more when that is done, however often it changed: stale work
never queues, and what is published is always that of the newest text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from cattrs import transform_error
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from archspec.editing.desk import same_file
from archspec.editing.document import Document
from archspec.lsp import convert
from archspec.lsp.texts import OpenText, path_of, uri_of
from archspec.lsp.worker import Found, Worker
from archspec.record import record

T = TypeVar("T")
_PAUSE = 0.01


@record
class _Misshaped:
    """A request that the protocol does not know in this shape, such as one with a negative line."""

    id: str | int
    error: JsonRpcException


class _Protocol(LanguageServerProtocol):
    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Initialise with UTF-16, which every client must know, whatever it would like better."""
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = [types.PositionEncodingKind.Utf16]
        return (yield from super().lsp_initialize(params))

    def structure_message(self, data: dict[str, Any]) -> Any:
        """A message from its data. pygls answers nothing to a request of a wrong shape, and its client would wait."""
        try:
            return super().structure_message(data)
        except JsonRpcInvalidParams as error:
            if "id" not in data or "method" not in data:
                raise
            why = transform_error(error.__cause__) if error.__cause__ is not None else []
            return _Misshaped(id=data["id"], error=JsonRpcInvalidParams("; ".join(why) or error.message))

    def handle_message(self, message: Any) -> None:
        """Handle a message, or answer a request of a wrong shape with an error."""
        if isinstance(message, _Misshaped):
            self._send_response(message.id, error=message.error.to_response_error())
        else:
            super().handle_message(message)

    def _send_handler_result(self, future: Future[Any], *, msg_id: str | int) -> None:
        """Answer a request. One that is refused is no failure of the server: its log has no traceback of it."""
        error = None if future.cancelled() else future.exception()
        if isinstance(error, JsonRpcException):
            self._request_futures.pop(msg_id, None)
            self._send_response(msg_id, error=error.to_response_error())
        else:
            super()._send_handler_result(future, msg_id=msg_id)


class SpecServer(LanguageServer):
    """The open texts, and the worker that checks them."""

    def __init__(self) -> None:
        super().__init__(
            "archspec",
            version("archspec-compiler"),
            # Specs are small, and whole texts need no agreement on what ends a line.
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=_Protocol,
            max_workers=2,
        )
        self.texts: dict[str, OpenText] = {}
        self._worker = Worker()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archspec")
        self._waiting: dict[str, None] = {}
        self.checking: asyncio.Task[None] | None = None
        self._published: dict[str, Found] = {}

    # -- texts

    def put(self, uri: str, text: str, version: int | None) -> None:
        """Take a new text of a document, and have it and those that may depend on it checked."""
        known = self.texts.get(uri)
        path = known.path if known is not None else path_of(uri, self._folders()[0])
        self.texts[uri] = OpenText(uri, path, text, version)
        self.check_all(first=uri)

    def drop(self, uri: str) -> None:
        """Forget a document that was closed, with what was said of it."""
        self.texts.pop(uri, None)
        self._published.pop(uri, None)
        self._waiting.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))
        self.check_all()

    def check_all(self, first: str | None = None) -> None:
        """Check all open documents, one of them first; those that nothing changed for cost nothing."""
        waiting = [] if first is None else [first]
        self._waiting = dict.fromkeys([*waiting, *self._waiting, *self.texts])
        if self.checking is None or self.checking.done():
            self.checking = asyncio.get_running_loop().create_task(self._check())

    def _folders(self) -> tuple[Path, ...]:
        found = [path_of(uri, Path.cwd()) for uri in self.workspace.folders]
        root = self.workspace.root_path
        return tuple(found) or ((Path(root),) if root else (Path.cwd(),))

    def start(self, options: object) -> None:
        """Take the options of the client: with `allDocuments`, every document is checked."""
        self._worker.all_documents = isinstance(options, dict) and options.get("allDocuments") is True

    async def watch(self) -> None:
        """Have the client tell of YAML files that change on disk, where it can."""
        workspace = self.client_capabilities.workspace
        files = None if workspace is None else workspace.did_change_watched_files
        if files is None or not files.dynamic_registration:
            return
        options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher("**/*.{yaml,yml}")])
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registration = types.Registration("archspec-files", method, options)
        await self.client_register_capability_async(types.RegistrationParams([registration]))

    def read_folders(self) -> None:
        """Take the folders of the workspace."""
        is_open = bool(self.workspace.folders) or self.workspace.root_path is not None
        self._thread.submit(self._worker.set_folders, self._folders() if is_open else ())

    # -- checks

    async def _check(self) -> None:
        """Check and publish what is waiting, until nothing is."""
        # What the client asks along with a change, such as completion, goes first: it needs no check.
        await asyncio.sleep(_PAUSE)
        while self._waiting:
            uri = next(iter(self._waiting))
            del self._waiting[uri]
            try:
                found = await self.run(partial(Worker.find, uri=uri))
            except Exception as error:  # noqa: BLE001 - one document must not end the checks of all others
                self._failed(uri, error)
                continue
            # A text that has changed since is waiting again.
            if found is not None and self.texts.get(uri) is found.text:
                self._publish(found)

    def _failed(self, uri: str, error: Exception) -> None:
        """Say that a check failed: what was said of an older text must not stand."""
        self._published.pop(uri, None)
        text = self.texts.get(uri)
        if text is not None:
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(uri=uri, version=text.version, diagnostics=[convert.failure(error)])
            )
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, f"{uri}: {error!r}"))

    def _publish(self, found: Found) -> None:
        uri = found.text.uri
        known = self._published.get(uri)
        if known is not None and known.text is found.text and known.findings == found.findings:
            return
        self._published[uri] = found
        shown = [convert.diagnostic(one, self.to_uri) for one in found.findings]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, version=found.text.version, diagnostics=shown)
        )
        if known is not None and known.text is found.text:
            # A file that it extends has changed: the client does not know that its hints are other ones.
            self._refresh_hints()

    def _refresh_hints(self) -> None:
        workspace = self.client_capabilities.workspace
        hints = None if workspace is None else workspace.inlay_hint
        if hints is not None and hints.refresh_support:
            self.workspace_inlay_hint_refresh(None)

    # -- answers

    async def run(self, job: Callable[[Worker], T]) -> T:
        """Run a job in the worker's thread, on the texts as they are when it starts."""

        def started() -> T:
            self._worker.take(dict(self.texts))
            return job(self._worker)

        return await asyncio.get_running_loop().run_in_executor(self._thread, started)

    async def ask(self, uri: str, question: Callable[[Document], T]) -> T | None:
        """Ask an open document; None for one that is not open."""

        def job(worker: Worker) -> T | None:
            document = worker.document(uri)
            return None if document is None else question(document)

        return await self.run(job)

    def to_uri(self, file: str) -> str:
        """The URI of a file, as the client names it."""
        texts = list(self.texts.items())
        opened = {same_file(text.path): uri for uri, text in texts} | {text.path: uri for uri, text in texts}
        return uri_of(file, opened)

    def shutdown(self) -> None:
        """End the worker with the server."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        super().shutdown()  # type: ignore[no-untyped-call]
