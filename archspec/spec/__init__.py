"""Turn spec files into graphs: inheritance, validated documents, names, and the elaboration of nodes."""

from __future__ import annotations

from archspec.spec.counts import check_counts
from archspec.spec.files import describe
from archspec.spec.inputs import InputSpec
from archspec.spec.loading import load
from archspec.spec.rules import Rule
from archspec.spec.spec import Decode, Spec

__all__ = ["Decode", "InputSpec", "Rule", "Spec", "check_counts", "describe", "load"]
