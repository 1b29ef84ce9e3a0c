"""Translate errors of the YAML parser into diagnostics, the same for its C and its Python implementation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.source import Source
from archspec.record import record

if TYPE_CHECKING:
    from yaml import MarkedYAMLError

# Compiled where they are used: compiling takes time in every process, and few files have such errors.
# A colon before a slash is not a glued key: `https://...` is text.
_GLUED_KEY = r"\s*(?:- )?([A-Za-z_][\w.-]*):(?=[^\s:/])"
_TYPE_BEFORE = r"[A-Za-z_]\w*\Z"
_COMMENT_OR_TAB = r"#[^\r\n]*|\t"
_TYPE_AFTER = r"\[[^\]\r\n]*\](?:\s*<\s*[^,{}\[\]\r\n]+)?"


@record
class _Known:
    """How a parser problem is reported. `problem` is a part of the parser's text; `context` labels its second place."""

    code: str = "E101"
    problem: str
    message: str
    help: str | None = None
    context: str | None = None


_NO_DIRECTIVES = "directives are not part of a spec"
# The first entry whose `problem` occurs in the parser's message is used, so specific texts come before general ones.
_KNOWN = (
    _Known(
        code="E107",
        problem="document start",
        message="text after the end of the document",
        help="a file must contain exactly one map",
    ),
    _Known(code="E110", problem="scanning an alias", message="`*` starts an alias", help="quote the text"),
    _Known(code="E109", problem="scanning an anchor", message="`&` starts an anchor", help="quote the text"),
    _Known(code="E112", problem="ing a tag", message="`!` starts a tag", help="quote the text"),
    _Known(code="E113", problem=" directive", message=_NO_DIRECTIVES, help="remove this line"),
    _Known(code="E113", problem="incompatible YAML", message=_NO_DIRECTIVES, help="remove this line"),
    _Known(
        code="E118",
        problem="unexpected ':'",
        message="no space after this colon",
        help="write `: ` with a space",
    ),
    _Known(
        problem="mapping values are not allowed",
        message="unexpected `:`",
        help="quote the text if it contains `: `; otherwise put the map on its own lines with equal indentation",
    ),
    _Known(
        problem="sequence entries are not allowed",
        message="a list cannot start here",
        help="put each `- ` on its own line",
    ),
    _Known(problem="mapping keys are not allowed", message="unexpected `?`", help="quote the text"),
    _Known(problem="could not find expected ':'", message="a key without `:`", help="write `key: value`"),
    _Known(
        problem="unexpected end of stream",
        message="quoted text is not closed",
        help="add the closing quote",
    ),
    _Known(
        problem="unknown escape",
        message="unknown escape in quoted text",
        help="use single quotes, or write `\\\\`",
    ),
    _Known(
        problem="block scalar",
        message="unexpected text after `|` or `>`",
        help="start the text on the next line",
    ),
    _Known(
        problem="flow mapping",
        message="expected `,` or `}`",
        help="close the brace, or put a comma before the next key",
        context="the open brace",
    ),
    _Known(
        problem="flow sequence",
        message="expected `,` or `]`",
        help="close the bracket, or put a comma before the next item",
        context="the open bracket",
    ),
    _Known(problem="node content", message="expected a value", help="remove the extra character, or quote the text"),
    _Known(
        problem="block collection",
        message="expected `- ` or less indentation",
        help="lists and maps cannot be mixed; use the same indentation throughout",
        context="the list starts here",
    ),
    _Known(
        problem="block mapping",
        message="expected a key of the map above",
        help="indent all keys of a map equally",
        context="the map starts here",
    ),
)


def tab_between(source: Source, start: int, end: int) -> Diagnostic | None:
    """E102 for a tab in `source.text[start:end]`, the gap between two tokens; None if there is none.

    Tabs in comments are allowed. The check is made here because one implementation of the parser accepts such tabs.
    """
    # Asked between all tokens of every file, and almost no file has a tab.
    if source.text.find("\t", start, end) < 0:
        return None
    found = re.compile(_COMMENT_OR_TAB).finditer(source.text, start, end)
    return next((_tab(source, one.start()) for one in found if one.group() == "\t"), None)


def from_yaml(source: Source, error: MarkedYAMLError) -> Diagnostic:
    """The diagnostic for an error that PyYAML's scanner or parser raised on `source`.

    Common mistakes (a tab, a key glued to its value, an unquoted type, text after a value) are recognised from the
    source itself; other errors from the parser's message. An unknown message gives a general E101.
    """
    start = _offset(source, error.problem_mark)
    # What is written comes first: the parser tells what it missed, which may be somewhere else.
    special = (
        _tab(source, start)
        or _glued_key(source, error, start)
        or _type(source, start)
        or _trailing(source, error, start)
    )
    if special is not None:
        return special
    said = f"{error.context or ''} {error.problem or ''}"
    if "cannot start any token" in said:
        return _bad_start(source, start)
    known = next((one for one in _KNOWN if one.problem in said), None)
    if known is None:
        return _diagnostic(source, "E101", "not valid YAML", start, help="quote the text")
    opening = None if error.context_mark is None else _offset(source, error.context_mark)
    if opening is not None and known.problem == "unexpected end of stream":
        # The parser notices an open quote only at the end of the file.
        return _diagnostic(source, known.code, known.message, opening, help=known.help)
    secondary = []
    if opening is not None and opening != start and known.context is not None:
        secondary = [Label(source.span(opening, opening + 1), known.context)]
    return _diagnostic(source, known.code, known.message, start, help=known.help, secondary=secondary)


def glued_key(source: Source, start: int) -> Diagnostic | None:
    """E118 if the text at `start` is a key whose colon is not followed by a space; None otherwise."""
    found = re.compile(_GLUED_KEY).match(source.text, start)
    if found is None:
        return None
    key, end = found.group(1), found.end()
    return Diagnostic(
        code="E118",
        message=f"no space after the colon of `{key}`",
        primary=Label(source.span(end - 1, end)),
        help=f"write `{key}: ` with a space",
    )


def _diagnostic(
    source: Source,
    code: str,
    message: str,
    start: int,
    *,
    end: int | None = None,
    help: str | None = None,
    secondary: list[Label] | None = None,
) -> Diagnostic:
    """A diagnostic for the text from `start` to `end`, by default one character, but never beyond the source."""
    stop = min(start + 1, len(source.text)) if end is None else end
    return Diagnostic(
        code=code,
        message=message,
        primary=Label(source.span(start, stop)),
        secondary=tuple(secondary or ()),
        help=help,
    )


def _offset(source: Source, mark: object) -> int:
    """The offset of a position reported by the parser, limited to the source."""
    return min(max(int(getattr(mark, "index", 0)), 0), len(source.text))


def _tab(source: Source, start: int) -> Diagnostic | None:
    """E102 if there is a tab at `start`; None otherwise."""
    if source.text[start : start + 1] != "\t":
        return None
    return _diagnostic(source, "E102", "a tab separates or indents here", start, help="use spaces")


def _glued_key(source: Source, error: MarkedYAMLError, start: int) -> Diagnostic | None:
    """E118 if the parser misses the colon of a key that is glued to its value; None otherwise."""
    if "could not find expected ':'" not in (error.problem or ""):
        return None
    return glued_key(source, _offset(source, error.context_mark))


def _type(source: Source, start: int) -> Diagnostic | None:
    """E119 if the error is at the bracket of an unquoted type, such as `{type: float[batch, length]}`."""
    if source.text[start : start + 1] != "[":
        return None
    # A dtype is short, so that looking back a little is enough.
    before = re.compile(_TYPE_BEFORE).search(source.text, max(start - 64, 0), start)
    after = re.compile(_TYPE_AFTER).match(source.text, start)
    if before is None:
        return None
    end = start + 1 if after is None else len(source.text[: after.end()].rstrip())
    written = source.text[before.start() : end]
    return _diagnostic(
        source,
        "E119",
        "a type inside braces or brackets must be quoted",
        before.start(),
        end=end,
        help=f'quote it: "{written}"' if after else "quote it, or use block style",
    )


def _trailing(source: Source, error: MarkedYAMLError, start: int) -> Diagnostic | None:
    """E101 for text after a quoted text or a closed flow collection on the same line."""
    line = source.text[source.line_starts[source.position(start)[0] - 1] : start].rstrip()
    if "block mapping" not in (error.context or "") or line[-1:] not in ("'", '"', "}", "]"):
        return None
    message = "unexpected text after the value"
    return _diagnostic(source, "E101", message, start, help="quote the whole value")


def _bad_start(source: Source, start: int) -> Diagnostic:
    """E101 for a character that has a meaning of its own in YAML, such as `%` or `@`."""
    character = source.text[start : start + 1]
    return _diagnostic(source, "E101", f"a value cannot start with `{character}`", start, help="quote the text")
