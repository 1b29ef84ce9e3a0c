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
    "E202": "unknown key",
    "E203": "missing field",
    "E204": "wrong form",
    "E205": "unknown word",
    "E206": "changed block",
    "E240": "not supported yet",
    "E241": "field of another kind",
    "E242": "fields that do not go together",
    "E243": "no default norm",
    "E244": "number out of range",
    "E245": "pattern that does not fit",
    "E301": "size with a remainder",
    "E302": "negative size",
    "E303": "number without a value",
    "E340": "heads that do not divide",
    "E341": "size of a parameter that is not fixed",
    "E342": "value of another type",
    "E343": "table too small",
    "E344": "too few positions",
    "E345": "grid of positions that does not fit",
    "E346": "tied parameter of another shape",
    "E347": "axes that do not agree",
    "E348": "features that positions cannot fill",
    "E349": "patches that do not divide the image",
    "E350": "no such axis",
    "E440": "decoder that looks ahead",
    "E601": "unknown target",
    "E602": "GPU that is no target",
    "E603": "dtype that a target does not take",
    "E604": "missing package",
    "E605": "step of a build that failed",
    "E606": "engine that was not built",
    "E607": "weights that do not fit the module",
    "E608": "input axis that cannot be exported",
    "E609": "artifact that differs from the module",
    "E610": "artifact that cannot be run here",
    "E701": "no such shipped spec",
    "E702": "file that cannot be written",
    "E703": "not an archive of arrays",
    "E704": "output folder that is not free",
    "E705": "not a bundle",
    "E706": "bundle of a newer format",
    "E707": "damaged manifest",
    "E708": "changed file",
    "E709": "path that leaves the bundle",
    "E710": "artifact that the bundle does not have",
    "E711": "unknown input",
    "E712": "missing input",
    "E713": "wrong dtype",
    "E714": "wrong number of axes",
    "E715": "axis with another size",
    "E716": "size outside the declared range",
    "E717": "size that is no multiple",
    "E718": "index out of bounds",
    "E719": "broken padding promise",
    "E720": "not sorted",
    "E721": "file that cannot be carried along",
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
