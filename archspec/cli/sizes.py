"""Sizes in bytes, as options give them."""

from __future__ import annotations

import re
from fractions import Fraction

import click


def bytes_of(text: str, option: str) -> int:
    """A size in bytes: `80GB`, `640 MB`, `24GiB`. Raises click.BadParameter for anything else."""
    # Python refuses to read numbers of thousands of digits.
    found = re.fullmatch(r"\s*([0-9]{1,400}(?:\.[0-9]{1,400})?)\s*([kMGT]?)(i?)B\s*", text)
    if found is None:
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise click.BadParameter(f"`{shown}` is not a size such as 80GB", param_hint=option)
    power = " kMGT".index(found[2] or " ")
    return int(Fraction(found[1]) * (1024 if found[3] else 1000) ** power)
