"""Edits of texts in tests: one that changes nothing would leave a test that tries nothing."""

from __future__ import annotations


def edited(text: str, *pairs: tuple[str, str]) -> str:
    """The text with each old part replaced by its new one, wherever it stands.

    Raises AssertionError where an old part is not there.
    """
    for old, new in pairs:
        assert old in text, f"the text has no {old!r} that an edit could change"
        text = text.replace(old, new)
    return text
