"""Import a model: from a folder or a `config.json` to a spec that a person would have written."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from archspec.diagnostics import Collector, Source, Span, did_you_mean, fail, in_order
from archspec.diagnostics.error import SpecError
from archspec.interop.huggingface.bodies import without_prefix
from archspec.interop.huggingface.changes import Changes, changed
from archspec.interop.huggingface.fitting import fitted
from archspec.interop.huggingface.generation import check_end, check_settings, endless, read_settings, untaken, with_ids
from archspec.interop.huggingface.json_text import JsonValue, read_json
from archspec.interop.huggingface.model_type import MODEL_TYPES, Architecture, ModelType
from archspec.interop.huggingface.pointing import at_keys
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.spec.files import is_folder
from archspec.spec.inheritance import NOT_INHERITED, inherited
from archspec.spec.printing import printed
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import MapNode
from archspec.text.reader import read
from archspec.weights import read_weights

CONFIG = "config.json"


@record(eq=False)
class Imported:
    """A model that was read: its spec as text, and the names of the spec, the type and the architecture.

    `settings` are those of generation, or the configuration where no file of their own lies beside it; `remarks` tell
    what else of the folder was left out.
    """

    name: str
    text: str
    model_type: str
    architecture: str
    settings: JsonValue | None = None
    remarks: tuple[str, ...] = ()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """The remarks, and settings of generation that the spec does not say."""
        return self.remarks + (() if self.settings is None else untaken(self.settings, self.spec.decode))

    @cached_property
    def spec(self) -> Spec:
        """The text read again, and elaborated."""
        source = Source(f"{self.name}.yaml", self.text)
        return elaborate(read(source), path=Path(source.name))


def import_configuration(source: Path, *, architecture: str | None = None, name: str | None = None) -> Imported:
    """Make a spec of a model's configuration; weights are not read.

    Every key of the configuration is used, known to have no effect, or an error at the key. Of `generation_config.json`
    beside it, the ids that begin and end a text are taken; what else changes decoding is told in `notes`.

    Args:
        source: a folder with `config.json`, or such a file.
        architecture: the class of transformers to take, such as `BertModel`; left out, the file says.
        name: of the spec; left out, the name of the folder.

    Returns:
        the spec.

    Raises:
        SpecError: E801 for an unknown model type, E802 for an unknown key, E803 for a value that is not supported, E804
            for an unknown architecture, E805 for a file that cannot be read; every other error of the spec that
            results, at the keys that cause it.
    """
    file = source / CONFIG if is_folder(source) else source
    given, settings = read_json(file), read_settings(file)
    if settings is not None:
        check_settings(settings)
    made = imported(with_ids(given, settings), architecture, name or _name(file), folder=file.parent)
    made = replace(made, settings=settings or given, remarks=(*_remarks(given), *endless(given, made.spec.decode)))
    if settings is not None:
        check_end(settings, made.spec.decode)
    return made


def _remarks(given: JsonValue) -> tuple[str, ...]:
    """What is told of code that a folder has for its model."""
    code, kind = given.members.get("auto_map"), given.members.get("model_type")
    if code is None or not code.value or kind is None:
        return ()
    return (
        f"not run: the folder's own code, which `auto_map` names; the type `{kind.value}` of transformers was taken",
    )


def imported(
    given: JsonValue, architecture: str | None, name: str, last: Changes | None = None, folder: Path | None = None
) -> Imported:
    """Make a spec of a configuration that was read, with the changes `last` after all others.

    `folder` is where its tensors are: of some types their names tell what the configuration does not. Raises SpecError
    as `import_configuration` does.
    """
    kind = _model_type(given)
    chosen = _architecture(given, kind, architecture)
    tree, base = _tree(kind, kind.architectures[chosen], given, name)
    more = kind.told_by_names(chosen, given, _names(folder)) if kind.reads_names else {}
    tree = changed(tree, {**more, **(last or {})}, _own_span(kind))
    try:
        text = printed(fitted(tree, base, _own_span(kind)))
    except SpecError as error:
        raise at_keys(error, tree, kind.base) from error
    return Imported(name=name, text=text, model_type=kind.word, architecture=chosen)


def _tree(kind: ModelType, architecture: Architecture, given: JsonValue, name: str) -> tuple[MapNode, MapNode]:
    """The base document with all changes, and without them. Raises SpecError with every error of the configuration."""
    found = Collector()
    table = kind.table(architecture)
    configuration = table.read(given, found)
    changes = table.changes(configuration, found)
    if found.has_errors:
        raise SpecError(in_order(found.diagnostics))
    base = _base(kind.base)
    own: Changes = {"name": name, "about": kind.about, **architecture.changes}
    tree = changed(base, own, _own_span(kind))
    for one, change in changes:
        tree = changed(tree, change, one.span or _default_span(kind, one))
    return tree if architecture.body is None else without_prefix(tree, architecture.body), base


def _names(folder: Path | None) -> Collection[str]:
    """The names of the tensors in a folder; none where it holds no safetensors. Raises SpecError as `read_weights`."""
    if folder is None or next(folder.glob("*.safetensors"), None) is None:
        return ()
    with read_weights(folder) as found:
        return tuple(found)


def _base(name: str) -> MapNode:
    """The document of a shipped spec, its inheritance resolved, without the counts of its own sizes."""
    tree = inherited(shipped_specs_dir() / f"{name}.yaml")
    return replace(tree, entries=tuple(entry for entry in tree.entries if entry.key.value not in NOT_INHERITED))


def _model_type(given: JsonValue) -> ModelType:
    """The type that the configuration names. Raises SpecError E801."""
    word = given.members.get("model_type")
    if word is None:
        fail(
            "E801",
            "the configuration has no `model_type`",
            given.span,
            help="add the type that transformers opens it as",
        )
    found = MODEL_TYPES.get(str(word.value).replace("-", "_"))
    if found is None:
        names = [name.replace("_", "-") if "_" not in str(word.value) else name for name in MODEL_TYPES]
        help = did_you_mean(str(word.value), names, kind="types", limit=60)
        fail("E801", f"no model type `{word.value}` is known", word.place, help=help)
    return found


def _architecture(given: JsonValue, kind: ModelType, wanted: str | None) -> str:
    """The name of the architecture: the wanted one, else the file's. Raises SpecError E803 for no list, E804."""
    listed = given.members.get("architectures")
    if listed is not None and listed.value is not None and not isinstance(listed.value, list):
        listed.refuse("expected a list of names")
    names = [wanted] if wanted is not None else listed.value if listed is not None and listed.value else []
    help = f"choose with `--as`: {', '.join(f'`{name}`' for name in kind.architectures)}"
    if not names:
        fail("E804", "the configuration names no architecture", None if listed is None else listed.place, help=help)
    name = str(names[0])
    if name not in kind.architectures:
        place = None if wanted is not None or listed is None else listed.place
        fail("E804", f"`{name}` of model type `{kind.word}` cannot be imported", place, help=help)
    return name


def _name(file: Path) -> str:
    """A name for the spec: that of the folder, in characters that names may have."""
    try:
        folder = file.resolve().parent.name
    except (OSError, RuntimeError):
        folder = ""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder).strip("-") or "imported"


def _own_span(kind: ModelType) -> Span:
    """What changes of the architecture are attributed to."""
    text = f"model_type={kind.word}"
    return Source("--import", text).span(0, len(text))


def _default_span(kind: ModelType, given: JsonValue) -> Span:
    """What the change of a key is attributed to that the file leaves out."""
    text = f"{given.name}={given.value} (the default of {kind.word})"
    return Source("--import", text).span(0, len(text))
