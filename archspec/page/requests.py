"""Requests of the page, as data that came as JSON, and the replies to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.page.answer import answer


def reply(wanted: Mapping[str, Any], file: str) -> Any:
    """The reply to a request, as JSON-compatible data.

    Args:
        wanted: `ask`, one of `answer`, `hover`, `completions` and `fixes`; the `text`; for an answer its `parts` and
            `sizes`, else the place `at`, for fixes up to `end`.
        file: the name of the file that the text is of.

    Raises:
        KeyError, ValueError or TypeError: for what is no request.
    """
    text = str(wanted["text"])
    if wanted["ask"] == "answer":
        return answer(text, file, list(wanted["parts"]), dict(wanted["sizes"]))
    # Imported when a person first asks: a verdict does not wait for it.
    from archspec.page import assistance

    match wanted["ask"]:
        case "hover":
            return assistance.hover(text, file, int(wanted["at"]))
        case "completions":
            return assistance.completions(text, file, int(wanted["at"]))
        case "fixes":
            return assistance.fixes(text, file, int(wanted["at"]), int(wanted["end"]))
    raise ValueError(f"nothing is asked by {wanted['ask']!r}")
