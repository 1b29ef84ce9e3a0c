"""The artifacts of a bundle: what each is, how far it was verified, and what ran where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.analyses.memory import in_words
from archspec.bundle.manifest import ArtifactEntry, Manifest, Verified
from archspec.bundle.report import step_of
from archspec.bundle.summary import Described
from archspec.record import record
from archspec.views.html.markup import Content, Html, code, folded, joined, name, table, tag, words
from archspec.views.html.numbers import counted
from archspec.views.html.verdicts import Kind, badge

LEVELS: dict[Verified, tuple[str, str]] = {
    "built": ("the tool that builds it accepted the network without an error", "everything else"),
    "network-verified-cpu": (
        "its network, tied to it by a digest, was computed on the CPU, and agrees there with the interpreter or module",
        "what happens on a GPU: the kernels that are selected there, their rounding, time and memory",
    ),
    "executed": ("it ran on the host that built it, and agreed there with the module", "other kinds of hosts"),
    "benchmarked": ("it ran on the host that built it, agreed there with the module, and was timed", "other hosts"),
}
"""Of each level what was done, and what was not tested."""
_KINDS: dict[Verified, Kind] = {
    "built": "care",
    "network-verified-cpu": "good",
    "executed": "good",
    "benchmarked": "good",
}
_RAN: dict[Verified, str] = {
    "built": "nowhere",
    "network-verified-cpu": "nowhere itself; its network ran on the CPU of the host that built it",
    "executed": "on the host that built it",
    "benchmarked": "on the host that built it",
}


@record
class ListedArtifact:
    """An artifact with the name by which a page calls it."""

    name: str
    entry: ArtifactEntry


def listed(manifest: Manifest) -> Iterator[ListedArtifact]:
    """Every artifact: those of the whole model, those of further programs, and the folder for GenAI."""
    for entry in (*manifest.artifacts, *([manifest.genai] if manifest.genai else [])):
        yield ListedArtifact(name=entry.target, entry=entry)
    for program in manifest.programs:
        for entry in program.artifacts:
            named = step_of(entry.target) if program.part == "step" else f"{program.part} of {entry.target}"
            yield ListedArtifact(name=named, entry=entry)


def artifacts(bundle: Described) -> Html:
    """A table of artifacts, what their levels mean, and what was refused or warned of."""
    manifest = bundle.manifest
    every = list(listed(manifest))
    heads = ("artifact", "precision", "size", "verified", "ran", "made by", "sizes")
    rows = [_row(manifest, one) for one in every]
    used = dict.fromkeys(one.entry.verified for one in every)
    levels = [(badge(level, _KINDS[level]), *LEVELS[level]) for level in LEVELS if level in used]
    return joined(
        table("What was built", heads, rows, numbers=(2,), prose=(4,))
        if rows
        else tag("p", "The bundle has no artifact but the module."),
        table("How far they were verified", ("level", "what was done", "what was not tested"), levels, prose=(1, 2))
        if levels
        else None,
        _rejected(manifest),
        [_said(one) for one in every if one.entry.notes or one.entry.warnings],
    )


def _row(manifest: Manifest, one: ListedArtifact) -> Sequence[Content]:
    entry = one.entry
    size = in_words(sum(manifest.files[file].bytes for file in entry.files))
    ran = _RAN[entry.verified] + (f", bound to {entry.host}" if entry.host else "")
    tool = f"{entry.tool} {entry.version}"
    return code(one.name), entry.dtype, size, badge(entry.verified, _KINDS[entry.verified]), ran, tool, _profiles(entry)


def _profiles(entry: ArtifactEntry) -> Html:
    """The sizes that an artifact admits, least to most."""
    return joined(
        [tag("p", name(", ".join(_range(dim, sizes) for dim, sizes in one.items()))) for one in entry.profiles]
    )


def _range(dim: str, sizes: Sequence[int]) -> str:
    least, _, most = sizes
    return f"{dim} {least:,}" if least == most else f"{dim} {least:,} to {most:,}"


def _rejected(manifest: Manifest) -> Html | None:
    """The steps that a tool refused."""
    if not manifest.rejected:
        return None
    told = [
        tag(
            "li",
            code(step_of(one.target)),
            f": {one.code}: ",
            name(one.message),
            [tag("p", name(n)) for n in one.notes],
        )
        for one in manifest.rejected
    ]
    return tag("div", tag("p", "Refused by their tools, and not in the bundle:"), tag("ul", told))


def _said(one: ListedArtifact) -> Html:
    """What was chosen for an artifact, and what its tool warned of."""
    notes, warnings = one.entry.notes, one.entry.warnings
    counts = words(counted(len(found), word) for found, word in ((notes, "note"), (warnings, "warning")) if found)
    return folded((code(one.name), f": {counts}"), tag("ul", [tag("li", name(line)) for line in (*notes, *warnings)]))
