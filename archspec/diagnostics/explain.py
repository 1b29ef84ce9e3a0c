"""Find the page of a diagnostic code."""

from __future__ import annotations

from archspec.diagnostics.codes import CODES
from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import nearest


def explain(code: str) -> str:
    """The page of a code as Markdown: what it means, why it is refused, an example, what to write instead.

    `code` may be in lower case. Raises SpecError E201 for a code that does not exist.
    """
    from importlib.resources import files

    wanted = code.strip().upper()
    if wanted not in CODES:
        close = nearest(wanted, CODES)
        fail("E201", f"unknown code `{code}`", None, help=f"did you mean `{close}`?" if close else None)
    page = files("archspec.diagnostics").joinpath("pages", f"{wanted}.md")
    return page.read_text(encoding="utf-8")
