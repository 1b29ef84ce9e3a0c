"""The report: one self-contained page about one or more specs, and about the bundles that were built of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.bundle.summary import Described
from archspec.checking import Report
from archspec.diagnostics import SpecError
from archspec.record import record
from archspec.spec.printing import printed
from archspec.views.comparison.compare import Comparison
from archspec.views.html.artifacts import artifacts
from archspec.views.html.comparison import comparison
from archspec.views.html.contract import contract
from archspec.views.html.costs import cost_range
from archspec.views.html.findings import findings, report_findings
from archspec.views.html.interface import interface
from archspec.views.html.markup import Content, Html, code, folded, joined, name, scrolling, tag
from archspec.views.html.masks import masks
from archspec.views.html.numbers import counted
from archspec.views.html.page import PagePart, page
from archspec.views.html.parity import parity
from archspec.views.html.picture import picture
from archspec.views.html.provenance import provenance
from archspec.views.html.quantised import quantised
from archspec.views.html.quantised_bundles import side_by_side
from archspec.views.html.relations import relations
from archspec.views.html.tree import tree
from archspec.views.html.verdicts import badge, verdicts

_SHORT = 60
"""The lines of a file that is not folded."""


@record(eq=False)
class Reported:
    """What a report is about: a checked spec under a label, and the bundle that was built of it, if one is given."""

    label: str
    report: Report
    bundle: Described | None = None


def document(subjects: Sequence[Reported], compared: Comparison | SpecError | None = None) -> Html:
    """The page.

    Args:
        subjects: one or more specs with different labels; of one the parts are those of the page.
        compared: the comparison of several, or why they cannot be compared.
    """
    if len(subjects) == 1:
        (one,) = subjects
        return page(one.label, list(_parts(one, "")), _lead(one))
    parts = [] if compared is None else [PagePart(key="comparison", title="Comparison", body=_compared(compared))]
    parts += _side_by_side(subjects)
    parts += [
        PagePart(key=f"spec-{number}", title=one.label, body=_lead(one), inside=tuple(_parts(one, f"-{number}")))
        for number, one in enumerate(subjects, 1)
    ]
    return page(" and ".join(one.label for one in subjects), parts)


def _side_by_side(subjects: Sequence[Reported]) -> list[PagePart]:
    """How several bundles are stored, if anything in one is rounded."""
    bundles = {one.label: one.bundle.manifest for one in subjects if one.bundle is not None}
    if len(bundles) < 2 or all(one.quantised is None for one in bundles.values()):
        return []
    return [PagePart(key="quantised", title="Quantised bundles", body=side_by_side(bundles))]


def _compared(found: Comparison | SpecError) -> Html:
    if isinstance(found, SpecError):
        about = tag(
            "p", "These specs were not compared. ", code("archspec compare"), " takes the option that is named."
        )
        return joined(about, findings(found.diagnostics))
    return comparison(found)


def _lead(one: Reported) -> Content:
    """What a spec is, and whether it holds."""
    report = one.report
    about = tag("p", name(report.spec.about)) if report.spec.about else None
    state = badge("holds", "good") if report.holds else badge("does not hold", "bad")
    counts = f"{report.cost.parameters:,} parameters. "
    return joined(about, tag("p", state, " ", counts, "SHA-256 of the spec: ", code(report.spec.digest)))


def _parts(one: Reported, suffix: str) -> Iterator[PagePart]:
    """The parts about one spec; `suffix` tells their anchors from those of another spec."""
    report, bundle = one.report, one.bundle
    bodies: list[tuple[str, str, Content]] = [
        *([("findings", "Errors and warnings", report_findings(report, suffix))] if report.diagnostics else []),
        ("verdicts", "Rules", verdicts(report, suffix)),
        *([] if bundle is None else _of_bundle(bundle)),
        ("picture", "Architecture", picture(report, suffix)),
        ("interface", "Inputs and outputs", interface(report)),
        ("parts", "Parts", tree(report)),
        ("masks", "Masks", masks(report)),
        ("dependence", "Dependence", relations(report)),
        ("costs", "Costs", cost_range(report)),
        ("file", "The spec", _file(report)),
    ]
    for key, title, body in bodies:
        yield PagePart(key=f"{key}{suffix}", title=title, body=body)


def _of_bundle(bundle: Described) -> list[tuple[str, str, Content]]:
    entry = bundle.manifest.quantised
    return [
        ("artifacts", "Artifacts", artifacts(bundle)),
        *([] if entry is None else [("quantised", "Quantising", quantised(bundle.manifest, entry))]),
        ("contract", "Contract", contract(bundle)),
        ("parity", "Parity", parity(bundle)),
        ("provenance", "Provenance", provenance(bundle)),
    ]


def _file(report: Report) -> Html:
    """The whole spec as one file: with what it extends and with overrides."""
    lines = printed(report.spec.resolved).rstrip("\n").split("\n")
    shown = scrolling(tag("pre", tag("code", "\n".join(lines))), "The spec as one file")
    about = f"With what it extends and with overrides, as one file of {counted(len(lines), 'line')}"
    return folded(about, shown, is_open=len(lines) <= _SHORT)
