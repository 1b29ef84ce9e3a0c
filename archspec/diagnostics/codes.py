"""The table of diagnostic codes. Each has a page in `pages/`, which `archspec explain CODE` prints."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = {
    "E1": "YAML and text",
    "E2": "schema",
    "E3": "shape",
    "E4": "mask and dependence",
    "E5": "lowering and weights",
    "E6": "engine",
    "E7": "bundles and run-time inputs",
    "W": "warning",
}

_TITLES = {
    "E101": "not valid YAML",
    "E102": "tab character",
    "E103": "file too large",
    "E104": "not a text file",
    "E105": "empty file",
    "E106": "top level is not a map",
    "E107": "several documents",
    "E108": "nested too deeply",
    "E109": "anchor",
    "E110": "alias",
    "E111": "merge key",
    "E112": "tag",
    "E113": "directive",
    "E114": "duplicate key",
    "E115": "key is not a word",
    "E116": "no value",
    "E117": "a comma split a value",
    "E118": "no space after a colon",
    "E119": "type in braces without quotes",
    "E120": "text that does not parse",
    "E121": "not a number",
    "E122": "unknown function",
    "E123": "unknown mask",
    "E124": "unknown dtype",
    "E125": "not true or false",
    "E126": "expression too large",
    "E201": "unknown name",
    "E301": "size with a remainder",
    "E302": "negative size",
    "E303": "number without a value",
}


@dataclass(frozen=True, kw_only=True)
class Code:
    """A diagnostic code: its title, and the family that its first letters name."""

    code: str
    title: str
    family: str


def _family(code: str) -> str:
    return FAMILIES["W" if code.startswith("W") else code[:2]]


CODES = {code: Code(code=code, title=title, family=_family(code)) for code, title in _TITLES.items()}
