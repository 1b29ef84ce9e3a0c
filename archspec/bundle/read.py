"""Open a bundle: read the manifest and check every file against it before anything in them is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from archspec.bundle.bundle import Bundle
from archspec.bundle.files import check_files
from archspec.bundle.manifest import MANIFEST, ArtifactEntry, Manifest, read_manifest
from archspec.bundle.report import REPORT, BundleReport
from archspec.diagnostics import SpecError, fail
from archspec.engines.registry import read_target
from archspec.model.written import WrittenInterface
from archspec.spec.files import is_folder, is_shipped, is_there

_HELP = "give the folder that `archspec build` wrote"


def open(path: str | Path, artifact: str | None = None) -> Bundle:
    """Open a bundle whose files are all unchanged since it was built.

    `artifact` is the target that `run` uses; without it, the best for this host is chosen at that time, and `choice`
    says which and why.

    Raises SpecError: E705 for a folder that is not a bundle, E706 for another format, E707 for a manifest that was
    changed, E708 for a file that is missing or was changed, E709 for one outside the folder, E610 or E710 for an
    artifact that cannot be run here or does not exist.
    """
    if not isinstance(path, (str, Path)):
        raise TypeError(f"expected the folder of a bundle, got a {type(path).__name__}")
    folder = Path(path).absolute()
    manifest = read_manifest(_manifest_text(folder))
    _check_meaning(manifest)
    check_files(folder, manifest.files)
    try:
        # As bytes: text that is not UTF-8 is an error of validation like any other.
        report = BundleReport.model_validate_json((folder / REPORT).read_bytes())
        bundle = Bundle(path=folder, manifest=manifest, report=report, artifact=artifact)
    except ValidationError as error:
        fail("E707", f"{REPORT} cannot be read", None, notes=[error.errors()[0]["msg"]])
    # An artifact that cannot run is reported now rather than at the first run.
    if artifact is not None:
        bundle.choice()
    return bundle


def is_bundle(source: object) -> bool:
    """Whether a source names a bundle: a folder with a manifest, or any folder whose name is not that of a spec."""
    if not isinstance(source, (str, Path)) or not is_folder(Path(source)):
        return False
    # A damaged bundle is still one, but next to a folder `gpt2` of something else, `gpt2` is the shipped spec.
    return is_there(Path(source) / MANIFEST) or not is_shipped(source)


def _manifest_text(folder: Path) -> str:
    """Return the text of a bundle's manifest. Raises SpecError E705 or E707."""
    if not is_folder(folder):
        fail("E705", f"{folder} is not a folder", None, help=_HELP)
    try:
        return (folder / MANIFEST).read_bytes().decode("utf-8")
    except FileNotFoundError:
        fail("E705", f"{folder} is not a bundle: it has no {MANIFEST}", None, help=_HELP)
    except OSError as error:
        fail("E705", f"{folder / MANIFEST} cannot be read: {error.strerror}", None)
    except UnicodeDecodeError:
        fail("E707", f"{MANIFEST} was changed after the bundle was built", None, notes=["it is not UTF-8"])


def check_interface(interface: WrittenInterface) -> None:
    """Read every type and range. Raises SpecError or ValueError for one that cannot be read."""
    read = interface.read()
    for port in (*read.input_ports, *read.output_ports):
        port.type.elements()


def _check_entries(entries: Sequence[ArtifactEntry]) -> None:
    """Raise SpecError E707 for an artifact without a file, and for a profile that is not three sizes of each dim."""
    for entry in entries:
        odd = any(len(sizes) != 3 for profile in entry.profiles for sizes in profile.values())
        if odd or not entry.files:
            note = f"the artifact `{entry.target}` {'has an invalid profile' if odd else 'has no file'}"
            fail("E707", f"{MANIFEST} contradicts itself", None, notes=[note])


def _check_ranks(manifest: Manifest) -> list[str]:
    """The files of all ranks. Raises SpecError E707 where ranks are not numbered from 0."""
    if manifest.tensor is None:
        return []
    programs = manifest.tensor.programs
    if manifest.tensor.ranks < 2 or [one.rank for one in programs] != list(range(manifest.tensor.ranks)):
        fail("E707", f"{MANIFEST} contradicts itself", None, notes=["its ranks are not numbered from 0"])
    return [name for one in programs for name in (one.source, one.weights)]


def _check_meaning(manifest: Manifest) -> None:
    """Check that the manifest lists the files it refers to, and that its targets and types can be read.

    A matching digest does not imply either: it shows that the text is unchanged, not that it is right.
    """
    artifacts = [*manifest.artifacts, *(entry for program in manifest.programs for entry in program.artifacts)]
    artifacts += manifest.of_ranks
    _check_entries(artifacts)
    named = [file for entry in artifacts for file in entry.files]
    named += manifest.genai.files if manifest.genai else []
    named += [program.source for program in manifest.programs]
    named += _check_ranks(manifest)
    named += [manifest.weights.path, REPORT, *manifest.carried]
    strangers = [name for name in named if name not in manifest.files]
    if strangers:
        fail("E707", f"{MANIFEST} contradicts itself", None, notes=[f"`{strangers[0]}` is not among its files"])
    try:
        for entry in artifacts:
            read_target(entry.target)
        for interface in (manifest.interface, *(program.interface for program in manifest.programs)):
            check_interface(interface)
    except (SpecError, ValueError) as error:
        notes = [found.message for found in error.diagnostics] if isinstance(error, SpecError) else [str(error)]
        fail("E707", f"{MANIFEST} cannot be parsed", None, notes=notes)
