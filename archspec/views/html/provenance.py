"""What a bundle consists of, and what built it."""

from __future__ import annotations

from archspec.analyses.memory import in_words
from archspec.bundle.summary import Described
from archspec.views.html.markup import Html, code, folded, joined, name, scrolling, table, tag


def provenance(bundle: Described) -> Html:
    """The command that builds the same artifacts again; tables of tools, build steps, times and files."""
    manifest, report = bundle.manifest, bundle.report
    tools = [(name(tool), name(version)) for tool, version in manifest.tools.items()]
    stages = [(name(one.name), f"{one.seconds:,.1f}", _memory(one.peak_bytes)) for one in report.stages]
    times = [
        (
            code(one.artifact),
            ", ".join(f"{key} {size}" for key, size in one.sizes.items()),
            f"{one.milliseconds:.3g}",
            str(one.runs),
        )
        for one in report.timings
    ]
    files = [(code(path), in_words(one.bytes), code(one.sha256)) for path, one in manifest.files.items()]
    heads = ("artifact", "sizes", "median in ms", "runs")
    return joined(
        tag("p", "Run in the folder of the bundle, this builds the same artifacts again:"),
        scrolling(tag("pre", tag("code", manifest.command)), "The command that builds the bundle"),
        table("Times on the host that built them", heads, times, numbers=(2, 3)) if times else None,
        folded(
            "Tools and steps of the build",
            table("Versions", ("tool", "version"), tools),
            table("Steps", ("step", "seconds", "peak memory"), stages, numbers=(1, 2)),
        ),
        folded(
            f"{len(files)} files", table("Files as they were written", ("file", "size", "SHA-256"), files, numbers=(1,))
        ),
        tag("p", "The digest of the manifest is ", code(manifest.digest), "."),
    )


def _memory(peak: int) -> str:
    return in_words(peak) if peak else ""
