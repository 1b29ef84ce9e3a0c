"""Comparing specs: every spec is checked, analysed and measured, and the table of all is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import fail
from archspec.model.checked import Checked
from archspec.record import record
from archspec.views.comparison.counted import Analysed, mixing_section, size_section
from archspec.views.comparison.measured_rows import effective_section, shift_section
from archspec.views.comparison.proved import field_section, move_section
from archspec.views.comparison.stages import mixings, stages
from archspec.views.comparison.subject import Compared, check_names, check_weights, compared
from archspec.views.comparison.table import Section


@record(eq=False)
class Comparison:
    """Specs side by side: their labels, the sections of the table, and remarks below it."""

    labels: tuple[str, ...]
    specs: tuple[Analysed, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]


def compare(
    sources: Sequence[SpecSource],
    *,
    set: Mapping[str, str] | Sequence[str] = (),
    reduced: bool = False,
    unproved: bool = False,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    at: Mapping[str, int] | None = None,
    weights: Mapping[str, Path] | None = None,
    seed: int = 0,
    measured: bool = True,
) -> Comparison:
    """Compare specs: cost, fields, motions and mixing, and what is measured of their modules.

    Args:
        sources: at least two specs: files, names of shipped ones, loaded ones, or some that were accepted before.
        set, reduced, unproved: as for `accepted`, of every spec.
        inputs, outputs: names of what is compared, where a spec has several.
        at: sizes of dims; rows of a batch are 1 and other dims typical where it says nothing.
        weights: checkpoints by the name of a spec; the others are measured with fresh parameters.
        seed: of fresh parameters and of inputs.
        measured: whether to compile and run the specs; without it torch is not loaded.

    Raises:
        SpecError: where a spec does not load or hold; E754 for fewer than two specs or one given twice, E755 where it
            is not clear what is compared, E716 or E717 for sizes that a spec does not admit, E504 where memory is
            short, E510 to E528 for weights that do not fit.
    """
    checked = [accepted(source, set=set, reduced=reduced, unproved=unproved) for source in sources]
    _check_different(checked)
    sizes = dict(at or {})
    check_names([one.spec for one in checked], inputs, outputs, sizes)
    labels = _labels(checked, sources)
    files = dict(weights or {})
    check_weights(labels, files)
    pairs = zip(labels, checked, strict=True)
    found = [_analysed(compared(label, one, inputs, outputs, sizes)) for label, one in pairs]
    # All are analysed before one is measured: an error then ends the command before its long part.
    if measured:
        found = [_measured(one, files.get(one.subject.label), seed) for one in found]
    sections = _sections(found, _unit(found), measured)
    return Comparison(labels=labels, specs=tuple(found), sections=sections, notes=tuple(_notes(found, seed)))


def _sections(found: Sequence[Analysed], unit: str, measured: bool) -> tuple[Section, ...]:
    """The sections of the table, each measured one after what is proved of the same."""
    shown = [size_section(found), field_section(found, unit)]
    shown += [effective_section(found, unit)] if measured else []
    shown += [move_section(found, unit)]
    shown += [shift_section(found, unit)] if measured else []
    return (*shown, mixing_section(found))


def _measured(one: Analysed, weights: Path | None, seed: int) -> Analysed:
    """A spec with its measurement, if it has positions that can move."""
    if one.subject.source is None:
        return one
    # Imported late: what is proved needs no torch.
    from archspec.views.comparison.measured import measure

    return replace(one, measured=measure(one, weights, seed))


def _analysed(subject: Compared) -> Analysed:
    kinds = mixings(subject)
    return Analysed(subject=subject, kinds=kinds, stages=stages(subject, kinds))


def _check_different(checked: Sequence[Checked]) -> None:
    """Raise SpecError E754 for fewer than two specs, or for one that is given twice."""
    if len(checked) < 2:
        given = "1 spec was" if checked else "no specs were"
        fail("E754", f"{given} given, expected at least 2", None)
    known: dict[str, str] = {}
    for one in checked:
        # By the document: a spec under two names is still one spec.
        if one.spec.digest in known:
            fail("E754", f"{one.spec.name} was given twice", None, help="compare specs that differ")
        known[one.spec.digest] = one.spec.name


def _labels(checked: Sequence[Checked], sources: Sequence[SpecSource]) -> tuple[str, ...]:
    """A label for each spec: its name, or what was given where names are equal."""
    names = [one.spec.name for one in checked]
    return tuple(
        name if names.count(name) == 1 else str(source) if isinstance(source, str) else f"{name} ({number + 1})"
        for number, (name, source) in enumerate(zip(names, sources, strict=True))
    )


def _unit(found: Sequence[Analysed]) -> str:
    """What positions are called in all columns."""
    units = {one.subject.unit for one in found if one.subject.source is not None}
    return units.pop() if len(units) == 1 else "positions"


def _notes(found: Sequence[Analysed], seed: int) -> list[str]:
    """Remarks: what marks mean, with what was measured, what is not alike, and where data appetite is measured."""
    units = {one.subject.label: one.subject.unit for one in found if one.subject.source is not None}
    notes = [
        "inside: at positions whose field does not reach over a border of the input; a move takes two",
        "mixing: what is left of the FLOPs acts on each position alone",
    ]
    measured = {one.subject.label: one.measured for one in found if one.measured is not None}
    if measured:
        known = [f"{label} with {one.weights}" for label, one in measured.items() if one.weights]
        given = f"; {', '.join(known)}" if known else ""
        notes.append(f"measured with fresh weights{given}, seed {seed}; {_inputs(set(units.values()))}")
    if len(set(units.values())) > 1:
        told = ", ".join(f"{unit} of {label}" for label, unit in units.items())
        notes.append(f"positions are not alike: {told}; fields and moves count each in its own")
    notes.append("data appetite (accuracy against the number of images) is measured by examples/inductive_bias/")
    return notes


def _inputs(units: Set[str]) -> str:
    """What the inputs are that were measured on."""
    parts = ["images are noise with the spectrum of natural ones"] if "pixels" in units else []
    parts += ["other inputs are random"] if units - {"pixels"} else []
    return ", ".join(parts)
