"""Record the messages of TensorRT."""

from __future__ import annotations

from typing import Any

import tensorrt_rtx as trt

from archspec.diagnostics import fail

MAX_NOTES = 8


class RecordingLogger(trt.ILogger):  # type: ignore[misc]
    """Keeps errors and warnings: TensorRT reports many failures only by logging an error, and continues."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def log(self, severity: Any, message: str) -> None:
        """Record a message; called by TensorRT."""
        # Severities are numbered from the worst, so that internal errors count too.
        if severity <= trt.ILogger.Severity.ERROR:
            self.errors.append(message)
        elif severity == trt.ILogger.Severity.WARNING and message not in self.warnings:
            self.warnings.append(message)

    def raise_if_errors(self, step: str) -> None:
        """Raise SpecError E606 if any error was logged; `step` says during what."""
        if self.errors:
            notes = [" ".join(error.split()) for error in self.errors[:MAX_NOTES]]
            fail("E606", f"TensorRT-RTX reported an error while {step}", None, notes=notes)
