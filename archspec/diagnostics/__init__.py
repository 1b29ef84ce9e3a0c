"""Diagnostics: spans of source text, findings about them, and their rendering for people and programs."""

from __future__ import annotations

from archspec.diagnostics.codes import CODES, Code
from archspec.diagnostics.collector import Collector, in_order
from archspec.diagnostics.error import SpecError, fail
from archspec.diagnostics.explain import explain
from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.nearest import did_you_mean, nearest
from archspec.diagnostics.render import render
from archspec.diagnostics.report import to_json
from archspec.diagnostics.source import Source, Span
from archspec.diagnostics.warned import SpecWarning, warn

__all__ = [
    "CODES",
    "Code",
    "Collector",
    "Diagnostic",
    "Label",
    "Source",
    "Span",
    "SpecError",
    "SpecWarning",
    "did_you_mean",
    "explain",
    "fail",
    "in_order",
    "nearest",
    "render",
    "to_json",
    "warn",
]
