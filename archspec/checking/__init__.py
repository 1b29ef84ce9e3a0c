"""The only way from a spec to a `Checked`.

The room stands below `weights` and `lower`, for it reads what a file says of both, and above everything that builds:
engines, bundles, decoding and views take what it has accepted.
"""

from __future__ import annotations

from archspec.checking.check import Report, accepted, check
from archspec.checking.compiling import compile

__all__ = ["Report", "accepted", "check", "compile"]
