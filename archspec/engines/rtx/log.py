"""What TensorRT says while it works."""

from __future__ import annotations

from typing import Any

import tensorrt_rtx as trt

from archspec.diagnostics import fail

MAX_NOTES = 8


class RecordingLogger(trt.ILogger):  # type: ignore[misc]
    """Keeps what TensorRT says: it reports many mistakes by a logged error alone, and goes on."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def log(self, severity: Any, message: str) -> None:
        """Called by TensorRT for every message."""
        if severity <= trt.ILogger.Severity.ERROR:
            self.errors.append(message)
        elif severity == trt.ILogger.Severity.WARNING and message not in self.warnings:
            self.warnings.append(message)

    def raise_if_errors(self, step: str) -> None:
        """Raise SpecError E606 with every error logged so far."""
        if self.errors:
            notes = [" ".join(error.split()) for error in self.errors[:MAX_NOTES]]
            fail("E606", f"TensorRT-RTX reported an error while {step}", None, notes=notes)
