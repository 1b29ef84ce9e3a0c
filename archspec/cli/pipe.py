"""A reader that stops reading is no failure: `archspec explain | head` ends as the command does."""

from __future__ import annotations

import io
import os
import sys


def tolerate_closed_pipe() -> None:
    """Let standard output go on after its reader has closed the pipe, so that the exit status is the command's own."""
    found = sys.stdout
    if isinstance(found, io.TextIOWrapper):
        encoding, errors, by_lines = found.encoding, found.errors, found.line_buffering
        sys.stdout = _Tolerant(found.detach(), encoding=encoding, errors=errors, line_buffering=by_lines)


class _Tolerant(io.TextIOWrapper):
    """Text that goes nowhere once nobody reads it."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()
            super().flush()

    def _drop(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
