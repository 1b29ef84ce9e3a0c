"""Which sections a text of YAML names at its top, told without parsing it: it may not parse."""

from __future__ import annotations

import re

_FLOW = re.compile(r"(?:\s|#.*\n|---)*\{")


def names_section(text: str, *names: str) -> bool:
    """Whether a text has one of these keys at the start of a line, or anywhere if it is one map in braces."""
    words = "|".join(map(re.escape, names))
    key = rf"(['\"]?)(?:{words})\1[ \t]*:"
    text = text.removeprefix("\ufeff")
    return re.search(key if _FLOW.match(text) else f"^{key}", text, re.MULTILINE) is not None
