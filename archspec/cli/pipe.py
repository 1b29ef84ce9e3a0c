"""Closed pipes are not errors: in `archspec explain | head` the command ends with its own status."""

from __future__ import annotations

import io
import os
import sys


def tolerate_closed_pipe() -> None:
    """Replace standard output by a stream that ignores a closed pipe, so that the command ends with its own status."""
    found = sys.stdout
    # Tests and notebooks put streams of their own here, which have no buffer to take over.
    if isinstance(found, io.TextIOWrapper):
        encoding, errors, by_lines = found.encoding, found.errors, found.line_buffering
        sys.stdout = _Tolerant(found.detach(), encoding=encoding, errors=errors, line_buffering=by_lines)


class _Tolerant(io.TextIOWrapper):
    """A text stream that discards its output once the reader has closed the pipe."""

    def write(self, text: str) -> int:
        """Write text, or discard it if the pipe is closed."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Flush the buffer, or discard it if the pipe is closed."""
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()
            # The buffer still holds what the pipe refused.
            super().flush()

    def _drop(self) -> None:
        """Redirect the file descriptor to the null device, which also takes what the interpreter flushes at exit."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
