"""Tensors in files: safetensors and GGUF are read on demand, safetensors are written atomically."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from archspec.diagnostics import Diagnostic, fail
from archspec.layouts.deferred import Box
from archspec.layouts.operations import Shape
from archspec.spec.files import is_file, is_folder, is_there
from archspec.weights.gguf.reading import SUFFIX, open_gguf
from archspec.weights.shards import find_shards

if TYPE_CHECKING:
    from torch import Tensor


class WeightsFile(Mapping[str, "Tensor"]):
    """The tensors of a checkpoint by name; each is read from its file when it is indexed.

    `shapes` and `dtypes` (in the names of the format, such as `BF16` or `Q8_0`) are known without reading tensors;
    `warnings` are diagnostics about the files. What is read is a view of the file if it `is_mapped`, else in memory of
    its own. Call `close` or use `with` to release the files.
    """

    def __init__(
        self,
        handles: Mapping[str, Any],
        shapes: Mapping[str, Shape],
        dtypes: Mapping[str, str],
        warnings: tuple[Diagnostic, ...],
        stack: ExitStack,
        *,
        is_mapped: bool = True,
    ) -> None:
        """Hold open `handles` (readers by tensor name, as safetensors has them), which `stack` closes."""
        self.is_mapped = is_mapped
        self._handles = handles
        self._stack = stack
        self.shapes = shapes
        self.dtypes = dtypes
        self.warnings = warnings

    def __getitem__(self, name: str) -> Tensor:
        tensor: Tensor = self._handles[name].get_tensor(name)
        return tensor

    def integers(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the integers and scales of a tensor whose format is one of `PACKINGS`, as `get_integers` of GGUF."""
        found: tuple[Tensor, Tensor] = self._handles[name].get_integers(name)
        return found

    def part(self, name: str, box: Box) -> Tensor:
        """Return the entries of a tensor in a box; of a mapped file, nothing else is read."""
        handle = self._handles[name]
        if not (self.is_mapped and box):
            whole: Tensor = handle.get_tensor(name)
            return whole[_slices(box)].clone()
        tensor: Tensor = handle.get_slice(name)[_slices(box)]
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def close(self) -> None:
        """Close the files; tensors that were read stay valid."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def part_of(tensors: Mapping[str, Tensor], name: str, box: Box) -> Tensor:
    """Return the entries of one of the tensors in a box, which a file is asked for alone."""
    return tensors.part(name, box) if isinstance(tensors, WeightsFile) else tensors[name][_slices(box)]


def _slices(box: Box) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in box)


def read_weights(path: str | Path) -> WeightsFile:
    """Open a checkpoint: safetensors, an index of shards, a folder with `model.safetensors` or its index, or GGUF.

    Only headers are read here. Quantised blocks of a GGUF file are dequantised into float32. Raises SpecError E522 for
    another format, E523 for a file that cannot be read, a tensor that is in two files, or an index that does not agree
    with its files, E604 for GGUF without the package `gguf`.
    """
    if Path(path).suffix == SUFFIX and not is_folder(Path(path)):
        return _gguf(Path(path))
    handles: dict[str, Any] = {}
    shapes: dict[str, Shape] = {}
    dtypes: dict[str, str] = {}
    files: dict[str, Path] = {}
    with ExitStack() as stack:
        shards = find_shards(Path(path))
        for shard in shards.files:
            if shards.index and not is_there(shard):
                help = "the download is incomplete: fetch the file"
                fail("E523", f"{shard} is missing, which the index beside it lists", None, help=help)
            handle = stack.enter_context(_opened(shard))
            for name in tuple(handle.keys()):
                if name in files:
                    fail("E523", f"`{name}` is in {files[name].name} and again in {shard.name}", None)
                handles[name], files[name] = handle, shard
                lying = handle.get_slice(name)
                shapes[name], dtypes[name] = tuple(lying.get_shape()), lying.get_dtype()
        for name, shard in shards.index.items():
            if files.get(name) != shard:
                fail("E523", f"the index lists `{name}` in {shard.name}, which does not contain it", None)
        # From here on the result owns the open files; after an error above, leaving `with` closes them.
        return WeightsFile(handles, shapes, dtypes, shards.warnings, stack.pop_all())


def _gguf(path: Path) -> WeightsFile:
    """Open a GGUF file. Raises SpecError E523 or E604."""
    _check_regular(path)
    with ExitStack() as stack:
        header, reader = open_gguf(path, stack)
        shapes = {name: stored.shape for name, stored in header.tensors.items()}
        formats = {name: stored.format for name, stored in header.tensors.items()}
        handles = dict.fromkeys(shapes, reader)
        return WeightsFile(handles, shapes, formats, (), stack.pop_all(), is_mapped=False)


def _check_regular(path: Path) -> None:
    """Raise SpecError E523 for what is no file; a pipe would be waited for without end."""
    if not is_file(path):
        reason = "not a regular file" if is_there(path) else "no such file"
        fail("E523", f"cannot read {path}: {reason}", None)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file for the time of the context; raises SpecError E523 if that fails."""
    from safetensors import SafetensorError, safe_open

    _check_regular(path)
    try:
        opened: Any = safe_open(str(path), framework="pt")
    except OSError as error:
        fail("E523", f"cannot read {path}: {(error.strerror or str(error)).lower()}", None)
    except SafetensorError as error:
        help = "download the file again; it may be incomplete"
        fail("E523", f"{path} is not a complete safetensors file", None, notes=[str(error)], help=help)
    with opened as handle:
        # Once the reader has taken the file, the size that its header gives can be trusted.
        _check_names(path)
        yield handle


def _check_names(path: Path) -> None:
    """Raise SpecError E523 for a header that gives a name twice; the reader would take the last entry in silence."""
    with path.open("rb") as file:
        # The format begins with the size of the header in eight bytes; the header is JSON.
        header = file.read(int.from_bytes(file.read(8), "little"))
    json.loads(header, object_pairs_hook=lambda pairs: _unique(path, pairs))


def _unique(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the header. Raises SpecError E523 for a repeated name."""
    twice = next((name for name, count in Counter(name for name, _ in pairs).items() if count > 1), None)
    if twice is not None:
        fail("E523", f"the header of {path} contains `{twice}` more than once", None, help="write the file again")
    return dict(pairs)


def write_weights(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to one safetensors file; after a failure no partial file is left.

    Raises SpecError E522 for a path that is not named `.safetensors`, E523 where it cannot be written.
    """
    from safetensors.torch import save_file

    target = Path(path)
    if target.suffix != ".safetensors":
        fail("E522", f"{target} does not end in .safetensors", None, help="weights are written as safetensors only")
    own = {name: alone(tensor) for name, tensor in tensors.items()}
    try:
        # The temporary folder is next to the target because a file can only be replaced atomically on one file system.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}-") as folder:
            made = Path(folder) / target.name
            # transformers refuses a file without this entry.
            save_file(own, str(made), metadata={"format": "pt"})
            made.replace(target)
    except OSError as error:
        fail("E523", f"cannot write {target}: {(error.strerror or str(error)).lower()}", None)


def alone(tensor: Tensor) -> Tensor:
    """Return the tensor contiguous and in a storage of its own.

    safetensors refuses tensors that are not contiguous or share memory.
    """
    tensor = tensor.detach()
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if tensor.is_contiguous() and whole else tensor.clone().contiguous()
