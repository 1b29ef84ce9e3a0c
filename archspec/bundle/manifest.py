"""The manifest: what a bundle contains, what built it, and how far each artifact was verified."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from archspec.diagnostics import fail
from archspec.engines.engine import Artifact
from archspec.model.ports import DTypeName
from archspec.model.written import WrittenInterface
from archspec.rules.verdict import Status

FORMAT = 3
OLDEST = 2
"""A bundle of format 2 has the whole model as its only program."""
MANIFEST = "manifest.json"
KEY = "archspec_bundle"
Verified = Literal["built", "network-verified-cpu", "executed", "benchmarked"]
"""How far an artifact was verified; each level includes those before it."""

_DIGEST = re.compile(r'"digest": "([0-9a-f]{64})"')
_BLANK = "0" * 64


class _Model(BaseModel):
    """A strict record of the manifest: unknown keys and converted types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileEntry(_Model):
    """SHA-256 and size in bytes of a file as it was written."""

    sha256: str
    bytes: int


class OriginalEntry(_Model):
    """The reference that the module, with these weights, was found equal to the original on.

    `reference` is the name of the file and `sha256` its digest; `outputs` were compared, `left_out` are not in it.
    `largest` and, where the reference is in float64, `exact` are the largest differences in float32 and in float64,
    relative to the largest value of the output.
    """

    reference: str
    sha256: str
    sizes: dict[str, int]
    outputs: list[str]
    left_out: list[str]
    largest: float
    exact: float | None = None

    def __str__(self) -> str:
        """The differences, what was compared and at which sizes."""
        exact = "" if self.exact is None else f", in float64 {self.exact:.1e}"
        left_out = f"; not compared: {', '.join(self.left_out)}" if self.left_out else ""
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        what = f"{', '.join(self.outputs)} of {self.reference} at {sizes}"
        return f"within {self.largest:.1e} of the largest value{exact} ({what}{left_out})"


class WeightsEntry(_Model):
    """The weights file and its origin: `given`, or a fresh module `initialised` under a seed.

    `original` is what given weights were held to; None if they were not compared with it.
    """

    path: str
    origin: Literal["given", "initialised"]
    layout: str | None = None
    seed: int | None = None
    original: OriginalEntry | None = None

    @property
    def is_untied(self) -> bool:
        """Whether these are weights of another model that were not compared with it."""
        return self.origin == "given" and self.original is None


class GreedyEntry(_Model):
    """How long greedy decoding with quantised weights gives the same `tokens` as with floats.

    Both go on from the first `prompt` ids of the first row. `first` is the first token that differs, counted from zero,
    and the two choices; None if none does.
    """

    prompt: int
    tokens: int
    first: list[int] | None = None

    def __str__(self) -> str:
        """What it says of greedy decoding."""
        after = f"tokens after {self.prompt} ids"
        if self.first is None:
            return f"greedy decoding gives the same {self.tokens} {after}"
        place, old, new = self.first
        return f"greedy decoding gives {place} of {self.tokens} {after}, then {new} for {old}"


class LossEntry(_Model):
    """What quantised weights cost on given inputs, compared with the same weights as floats.

    `output` has the scores, of so many `classes`; older manifests name neither. `kl` is the mean divergence of the
    scores in nats, `agreement` the share of positions with the same first choice, `largest` the largest difference of a
    score, and `scale` the largest score. `flip` is the first row and position with another choice, and the two choices;
    pixels are counted row by row. `perplexity` and `accuracy` are those with floats and with integers.
    `greedy` is that of a decoder's first row, where it was decoded.
    """

    data: str
    sha256: str
    output: str | None = None
    classes: int | None = None
    positions: int
    kl: float
    agreement: float
    largest: float
    scale: float
    flip: list[int] | None = None
    greedy: GreedyEntry | None = None
    known: int = 0
    perplexity: list[float] | None = None
    accuracy: list[float] | None = None

    def __str__(self) -> str:
        """The measures in one line."""
        known = {"perplexity": self.perplexity, "accuracy": self.accuracy}
        more = "".join(f", {name} {one[0]:.4g} -> {one[1]:.4g}" for name, one in known.items() if one is not None)
        flip = ""
        if self.greedy is not None:
            flip = f", {self.greedy}"
        elif self.flip is not None:
            row, place, old, new = self.flip
            flip = f", first other choice in row {row} at {place}: {new} for {old}"
        among = "" if self.output is None else f" among {self.classes} classes of `{self.output}`"
        share = f"{self.agreement:.2%} of first choices{among}"
        judged = f", {self.known} with a right class" if 0 < self.known < self.positions else ""
        return f"kl {self.kl:.3g}, {share}{more}{flip} ({self.positions} positions of {self.data}{judged})"


class CalibrationEntry(_Model):
    """The inputs on which the scales of activations were measured: the name of their file, and its digest."""

    data: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> CalibrationEntry:
        """The entry of a file."""
        return cls(data=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


class QuantisedEntry(_Model):
    """The weights that are integers: their formats by path, and the bytes of all weights as stored and as floats.

    `floats` are those that could be integers and are not; None in a bundle that does not say. In `packed_bytes`,
    integers of four bits take half a byte each, as in artifacts; the file of weights has bytes.
    `activations` are the grids of what products read, by the paths of these, with scales that were measured on the
    inputs of the `calibration`; it is None where they came with the weights. `kv_cache` is the grid of what the cached
    step keeps, with such scales too. `unrounded` has those whose integers and scales are the ones of the given file,
    bit by bit, with their formats in it; `rounded` says what became of others that it does not have as floats. `loss`
    is what rounding costs; None if it was not measured. `rounding` has the loss of those artifacts, by target, that
    round what they multiply too.
    """

    formats: dict[str, str]
    floats: list[str] | None = None
    bytes: int
    float_bytes: int
    packed_bytes: int
    activations: dict[str, str] = {}
    kv_cache: Literal["int8"] | None = None
    calibration: CalibrationEntry | None = None
    unrounded: dict[str, list[str]] = {}
    rounded: list[str] = []
    loss: LossEntry | None = None
    at_most: dict[str, float] = {}
    rounding: dict[str, LossEntry] = {}


class ArtifactEntry(_Model):
    """One artifact.

    `files[0]` is the file that its tool opens; each of `profiles` gives the smallest, typical and largest size of every
    dim. `host` is the kind of machine it is bound to (None: any), `network` the digest of the TensorRT network it was
    compiled from; `notes` explain choices made for it.
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
        """Return the artifact in the form that its engine uses."""
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


class ProgramEntry(_Model):
    """A program in addition to the whole model, such as the step of a decoder: the file and class of its module.

    A value of a decoder's state that is stacked over layers is one input a layer, `NAME.LAYER`, and one output.
    """

    part: str
    source: str
    module: str
    interface: WrittenInterface
    artifacts: list[ArtifactEntry]


class RejectedStep(_Model):
    """The step of a target that its tool or runtime refused, with the diagnostic: the bundle has no artifact of it."""

    target: str
    code: str
    message: str
    notes: list[str] = []


class ExchangeEntry(_Model):
    """Where the ranks exchange values: how often in a forward pass, how much each gives, and the line of the spec."""

    kind: Literal["all-reduce", "all-gather"]
    where: str
    times: int
    elements: str
    dtype: str
    line: int | None = None


class WholeEntry(_Model):
    """Something that every rank computes or stores whole, with the elements of its weights, and why."""

    path: str
    elements: int
    reason: str
    help: str | None = None
    line: int | None = None


class RankEntry(_Model):
    """The program of one rank: the file of its module, its part of the weights, and its artifacts."""

    rank: int
    source: str
    weights: str
    artifacts: list[ArtifactEntry]


class TensorEntry(_Model):
    """The model split over tensor ranks, each of which runs a program of its own at once with the others.

    `parts` says what a rank stores of each parameter that is not whole, and `whole` what is not split.
    """

    ranks: int
    module: str
    exchanges: list[ExchangeEntry]
    parts: dict[str, str]
    whole: list[WholeEntry]
    notes: list[str]
    programs: list[RankEntry]


class VerdictEntry(_Model):
    """A rule as the spec writes it, and its status when the bundle was built."""

    rule: str
    status: Status
    explanation: str


class Manifest(_Model):
    """The description of a bundle; `files` lists every other file in it.

    `unproved` holds messages about what did not hold when the spec was checked: the bundle was built on request
    nevertheless. `rejected` names targets that are without their step. `tensor` holds the artifacts where the model is
    split over ranks; there are none of the whole model then. `genai` is the folder for ONNX Runtime GenAI,
    with the layout of this name. `command`, run in the bundle's folder, builds the same artifacts again.
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
    quantised: QuantisedEntry | None = None
    artifacts: list[ArtifactEntry]
    programs: list[ProgramEntry] = []
    rejected: list[RejectedStep] = []
    tensor: TensorEntry | None = None
    genai: ArtifactEntry | None = None
    carried: list[str]
    command: str
    tools: dict[str, str]
    files: dict[str, FileEntry]

    @property
    def rounded(self) -> dict[str, LossEntry]:
        """The loss of the artifacts, by target, that round what they multiply with quantised weights."""
        return self.quantised.rounding if self.quantised is not None else {}

    @property
    def of_ranks(self) -> list[ArtifactEntry]:
        """The artifacts of all ranks."""
        return [entry for program in self.tensor.programs for entry in program.artifacts] if self.tensor else []

    @property
    def carried_reference(self) -> str | None:
        """The carried file that the weights were held to; None if the bundle does not carry it."""
        original = self.weights.original
        if original is None:
            return None
        return next((name for name in self.carried if self.files[name].sha256 == original.sha256), None)


def write_manifest(manifest: Manifest) -> str:
    """Return the text of a manifest with its digest: the SHA-256 of the text with zeros in place of the digest."""
    text = json.dumps(manifest.model_copy(update={"digest": _BLANK}).model_dump(mode="json"), indent=2) + "\n"
    # The first occurrence is the digest: only the number of the format is written before it.
    return text.replace(_BLANK, hashlib.sha256(text.encode()).hexdigest(), 1)


def read_manifest(text: str) -> Manifest:
    """Read a manifest from its text.

    Raises SpecError E705 if it is not a manifest, E706 for another format, E707 if it was changed.
    """
    _check_format(text)
    found = _DIGEST.search(text)
    # The digest was computed with zeros in its own place.
    blank = text if found is None else text[: found.start(1)] + _BLANK + text[found.end(1) :]
    if found is None or hashlib.sha256(blank.encode()).hexdigest() != found.group(1):
        _damaged("its text does not match its digest")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        return _damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


def _check_format(text: str) -> None:
    """Check that the text is JSON of the supported format, before its digest is looked at."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        _damaged("it is not JSON")
    version = data.get(KEY) if isinstance(data, dict) else None
    # `isinstance` would accept `true`, which is not a format.
    if type(version) is not int:
        fail("E705", f"{MANIFEST} is not a bundle manifest", None, help="give the folder that `archspec build` wrote")
    if not OLDEST <= version <= FORMAT:
        message = f"the bundle has format {version}, this version of archspec reads formats {OLDEST} to {FORMAT}"
        help = "pip install --upgrade archspec-compiler" if version > FORMAT else "build the bundle again"
        fail("E706", message, None, help=help)


def _damaged(reason: str) -> Manifest:
    """Raise E707 with a reason."""
    help = "rebuild the bundle, or copy it again from its origin"
    return fail("E707", f"{MANIFEST} was changed after the bundle was built", None, notes=[reason], help=help)
