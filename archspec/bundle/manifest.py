"""The manifest: what a bundle holds, what built it, and how far each artifact was verified."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from archspec.diagnostics import fail
from archspec.engines.engine import Artifact
from archspec.model.ports import DTypeName
from archspec.model.written import WrittenInterface
from archspec.rules.verdict import Status

FORMAT = 2
MANIFEST = "manifest.json"
KEY = "archspec_bundle"
Verified = Literal["built", "network-verified-cpu", "executed", "benchmarked"]
"""How far an artifact was verified; each step up contains those before it."""

_DIGEST = re.compile(r'"digest": "([0-9a-f]{64})"')
_BLANK = "0" * 64


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileEntry(_Model):
    """A file as it was written."""

    sha256: str
    bytes: int


class WeightsEntry(_Model):
    """Where the weights came from: `given`, or a fresh module `initialised` under a seed."""

    path: str
    origin: Literal["given", "initialised"]
    layout: str | None = None
    seed: int | None = None


class ArtifactEntry(_Model):
    """One artifact. `files[0]` is what its tool opens; each of `profiles` gives every dim's least, typical and largest
    size.

    `host` is the kind of machine that it is bound to (None: any), `network` the digest of the network of TensorRT that
    it was compiled from, `notes` say what was chosen for it and why.
    """

    target: str
    dtype: DTypeName
    files: list[str]
    verified: Verified
    tool: str
    version: str
    profiles: list[dict[str, list[int]]]
    host: str | None = None
    network: str | None = None
    notes: list[str] = []
    warnings: list[str] = []

    def artifact(self) -> Artifact:
        """The artifact as its engine knows it."""
        return Artifact(
            target=self.target,
            dtype=self.dtype,
            files=tuple(self.files),
            tool=self.tool,
            version=self.version,
            host=self.host,
            network=self.network,
            notes=tuple(self.notes),
            warnings=tuple(self.warnings),
        )


class VerdictEntry(_Model):
    """A rule of the spec as it is written there, and what was known of it when the bundle was built."""

    rule: str
    status: Status
    explanation: str


class Manifest(_Model):
    """Everything that a reader needs to know; `files` lists every other file of the bundle.

    `unproved` holds the messages of what did not hold when the spec was checked: the bundle was built all the same,
    because its builder asked for it.

    `command`, given in the bundle's folder, builds the same artifacts again.
    """

    archspec_bundle: int = FORMAT
    digest: str = _BLANK
    name: str
    about: str | None
    spec_digest: str
    verdicts: list[VerdictEntry]
    unproved: list[str]
    module: str
    interface: WrittenInterface
    weights: WeightsEntry
    artifacts: list[ArtifactEntry]
    carried: list[str]
    command: str
    tools: dict[str, str]
    files: dict[str, FileEntry]


def write_manifest(manifest: Manifest) -> str:
    """The text of a manifest, its own digest put in: the SHA-256 of the text with zeros in that place."""
    text = json.dumps(manifest.model_copy(update={"digest": _BLANK}).model_dump(mode="json"), indent=2) + "\n"
    return text.replace(_BLANK, hashlib.sha256(text.encode()).hexdigest(), 1)


def read_manifest(text: str) -> Manifest:
    """The manifest of a text. Raises SpecError E705 to E707 for what is none, is newer, or was changed."""
    _check_format(text)
    found = _DIGEST.search(text)
    blank = text if found is None else text[: found.start(1)] + _BLANK + text[found.end(1) :]
    if found is None or hashlib.sha256(blank.encode()).hexdigest() != found.group(1):
        _damaged("its text does not match its digest")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        return _damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


def _check_format(text: str) -> None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        _damaged("it is not JSON")
    version = data.get(KEY) if isinstance(data, dict) else None
    if type(version) is not int:
        fail("E705", f"{MANIFEST} is not a bundle manifest", None, help="give the folder that `archspec build` wrote")
    if version != FORMAT:
        message = f"the bundle has format {version}, this version of archspec reads format {FORMAT}"
        help = "pip install --upgrade archspec-compiler" if version > FORMAT else "build the bundle again"
        fail("E706", message, None, help=help)


def _damaged(reason: str) -> Manifest:
    help = "build the bundle again, or copy it again from where it was built"
    return fail("E707", f"{MANIFEST} was changed after the bundle was built", None, notes=[reason], help=help)
