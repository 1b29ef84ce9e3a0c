"""The shape of the code: which way imports go, what loads when, how large things are, what is barred."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "archspec"

# A part may import those before it and itself, never those after it.
ORDER = [
    *(
        "record",
        "registry",
        "diagnostics",
        "algebra",
        "text",
        "relation",
        "ir",
        "schema",
        "masks",
        "ops",
        "blocks",
        "spec",
        "analyses",
        "layouts",
        "oracle",
    ),
    # `checking` reads what a file says of weights and code, so it stands below both.
    *(
        "rules",
        "passes",
        "model",
        "lower",
        "generated",
        "weights",
        "quantising",
        "checking",
        "diff",
        "engines",
        "contract",
        "bundle",
    ),
    *("interop", "decoding", "parallel", "views", "editing", "lsp", "page", "testing", "cli", "__main__"),
]
CORE = set(ORDER[: ORDER.index("rules") + 1])
TOO_HEAVY_FOR_CORE = {
    *("torch", "onnx", "onnxruntime", "onnxscript", "onnx_ir", "safetensors", "transformers", "tokenizers", "gguf"),
    *("tensorrt_rtx", "tensorrt", "torch_tensorrt", "openvino", "scipy", "sklearn", "rich", "click"),
}
COMPUTES_LAZILY = {"numpy"}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "__import__"}
# YAML is read from its event stream alone, and tensors from safetensors and GGUF alone.
UNSAFE_ATTRIBUTES = {
    *(("yaml", name) for name in ("load", "load_all", "full_load", "full_load_all", "safe_load", "safe_load_all")),
    *(("yaml", name) for name in ("unsafe_load", "unsafe_load_all", "compose", "compose_all")),
    ("torch", "load"),
}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported module: where, whether on loading the file, and whether only for types."""

    module: str
    line: int
    at_top: bool


@dataclass(frozen=True, kw_only=True)
class File:
    """One source file of the package, parsed."""

    path: Path
    name: str
    tree: ast.Module
    lines: int

    @property
    def part(self) -> str:
        """The entry of ORDER that the file belongs to; empty for the package's own `__init__`."""
        return self.name.partition(".")[2].partition(".")[0]

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


def parse(path: Path, root: Path = ROOT) -> File:
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return File(path=path, name=name, tree=ast.parse(text, str(path)), lines=text.count("\n"))


@cache
def files() -> tuple[File, ...]:
    return tuple(parse(path) for path in sorted(PACKAGE.rglob("*.py")))


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def walk(node: ast.AST, at_top: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node that exists at run time, and whether it runs on loading the file."""
    for child in ast.iter_child_nodes(node):
        if is_for_types(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield other, at_top
                yield from walk(other, at_top)
            continue
        yield child, at_top
        yield from walk(child, at_top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def base_of(file: File, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = file.name.split(".")
    keep = len(package) - node.level + (file.path.name == "__init__.py")
    return ".".join([*package[:keep], *([node.module] if node.module else [])])


def imports(file: File, modules: frozenset[str] = frozenset()) -> Iterator[Import]:
    """What a file imports; `from package import module` names the module where `modules` has it."""
    for node, at_top in walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=alias.name, line=node.lineno, at_top=at_top)
        elif isinstance(node, ast.ImportFrom):
            base = base_of(file, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(module=inner if inner in modules else base, line=node.lineno, at_top=at_top)


def own_modules() -> frozenset[str]:
    return frozenset(file.name for file in files())


def test_every_file_has_a_place_in_the_order() -> None:
    strangers = [file.at(1) for file in files() if file.part and file.part not in ORDER]
    assert strangers == []


def against_the_order(file: File) -> Iterator[str]:
    for found in imports(file, own_modules()):
        package, _, rest = found.module.partition(".")
        part = rest.partition(".")[0]
        if package == "archspec" and part in ORDER and ORDER.index(part) > ORDER.index(file.part):
            yield f"{file.at(found.line)} imports {found.module}"


def made_by_hand(file: File) -> Iterator[str]:
    """Where a `Checked` is made without a check: called, copied with changes, or handed to something that makes one."""
    for node, _ in walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id="Checked") | ast.Attribute(attr="Checked")):
                yield f"{file.at(node.lineno)} makes a Checked"
            case ast.Call(
                func=ast.Name(id="replace") | ast.Attribute(attr="replace"), args=[ast.Name(id="checked"), *_]
            ):
                yield f"{file.at(node.lineno)} changes a Checked"
            case ast.Attribute(value=ast.Name(id="Checked"), attr="__new__"):
                yield f"{file.at(node.lineno)} makes a Checked"
            case _:
                pass


def test_only_a_check_makes_a_checked_spec() -> None:
    makers = {file.name: wrong for file in files() if (wrong := list(made_by_hand(file)))}
    assert makers.keys() == {"archspec.checking.checks"}
    assert len(makers["archspec.checking.checks"]) == 1


def test_imports_go_one_way() -> None:
    assert [wrong for file in files() if file.part in ORDER for wrong in against_the_order(file)] == []


def every_import(file: File) -> Iterator[str]:
    """The modules of the package that a file imports, in functions and for types alone too."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = base_of(file, node)
            # `from package import module` asks the package first, whose own imports may be late ones.
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def test_no_import_goes_in_a_circle_not_even_a_late_one_or_one_for_types() -> None:
    graph = nx.DiGraph()
    modules = own_modules()
    for file in files():
        graph.add_edges_from((file.name, found) for found in every_import(file) if found in modules)
    tangles = [sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]
    assert tangles == []
    assert list(nx.nodes_with_selfloops(graph)) == []


def test_the_core_imports_nothing_heavy() -> None:
    wrong = []
    for file in files():
        for found in imports(file) if file.part in CORE | {""} else ():
            library = found.module.partition(".")[0]
            if library in TOO_HEAVY_FOR_CORE or (found.at_top and library in COMPUTES_LAZILY):
                wrong.append(f"{file.at(found.line)} imports {found.module}")
    assert wrong == []


def loaded_after(statements: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after some statements."""
    report = "import json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\n{report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_loading_the_whole_core_loads_neither_torch_nor_numpy() -> None:
    core = [file.name for file in files() if file.part in CORE]
    assert core
    loaded = loaded_after("\n".join(f"import {name}" for name in core))
    assert not loaded & (TOO_HEAVY_FOR_CORE | COMPUTES_LAZILY)


def test_importing_the_package_loads_no_dependency() -> None:
    loaded = loaded_after("import archspec")
    assert not loaded & (TOO_HEAVY_FOR_CORE | {"numpy", "pydantic", "yaml", "networkx"})


def test_touching_the_public_names_does_not_load_torch() -> None:
    statements = "import archspec\nfor name in getattr(archspec, '__all__', ()): getattr(archspec, name)"
    assert "torch" not in loaded_after(statements)


def banned(file: File) -> Iterator[str]:
    for node, _ in walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
                yield f"{file.at(node.lineno)} calls {name}"
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in UNSAFE_ATTRIBUTES:
                yield f"{file.at(node.lineno)} uses {module}.{name}"
            case ast.ImportFrom(module=str(module)):
                for alias in node.names:
                    if (module, alias.name) in UNSAFE_ATTRIBUTES:
                        yield f"{file.at(node.lineno)} imports {module}.{alias.name}"
            case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
                yield f"{file.at(node.lineno)} is a stub"
            case _:
                pass
    for found in imports(file):
        if found.module.partition(".")[0] in UNSAFE_MODULES:
            yield f"{file.at(found.line)} imports {found.module}"


def test_nothing_runs_or_unpickles_what_it_reads() -> None:
    assert [wrong for file in files() for wrong in banned(file)] == []


def test_no_unfinished_work_and_no_drawer_for_odds_and_ends() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX)\b")
    assert [str(file.path) for file in files() if mark.search(file.path.read_text(encoding="utf-8"))] == []
    assert [str(file.path) for file in files() if file.path.stem in {"utils", "util", "helpers", "misc"}] == []


def function_lengths(file: File) -> Iterator[tuple[int, str]]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1, f"{file.at(node.lineno)} {node.name}"


def test_files_and_functions_are_short() -> None:
    assert [f"{file.at(1)} has {file.lines} lines" for file in files() if file.lines > 400] == []
    sizes = [size for file in files() for size in function_lengths(file)]
    assert [f"{name} has {length} lines" for length, name in sizes if length > 60] == []


def test_every_public_class_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = {}
    for file in files():
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(file.at(node.lineno))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_figures_of_the_structure() -> None:
    """Prints what readers ask of a code base (`-s` shows it), and bounds the median file."""
    lines = sorted((file.lines, file.at(1)) for file in files() if file.lines > 1)
    lengths = [length for file in files() for length, _ in function_lengths(file)]
    median = statistics.median(count for count, _ in lines)
    print(f"\n{len(lines)} files, median {median:g} lines, largest {lines[-1][1]} with {lines[-1][0]}")
    print(f"{len(lengths)} functions, median {statistics.median(lengths):g} lines, largest {max(lengths)}")
    assert median <= 150


def test_most_functions_are_very_short() -> None:
    lengths = [length for file in files() for length, _ in function_lengths(file)]
    if len(lengths) >= 50:
        assert statistics.quantiles(lengths, n=10)[-1] <= 30


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_tracked_names_one_machine_or_a_registry_host() -> None:
    # Brackets keep these patterns from finding themselves.
    folders = r"(?<![\w.])/(?:[w]ork|[r]oot|[h]ome/\w+|[U]sers/\w+|[o]pt/\w+|[t]mp/\w+)/"
    hosts = r"[p]ypi\.org|[p]ythonhosted\.org|[d]ownload\.pytorch\.org|[p]ypi\.nvidia\.com|[l]ocalhost"
    pattern = re.compile(f"{folders}|{hosts}")
    wrong = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        wrong += [f"{path.relative_to(ROOT)}: {found.group()}" for found in pattern.finditer(text)]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def f():\n    return eval('1')\n", "calls eval"),
        ("def f():\n    import pickle\n", "imports pickle"),
        ("import yaml\nyaml.load('')\n", "uses yaml.load"),
        ("from torch import load\n", "imports torch.load"),
        ("def f():\n    raise NotImplementedError\n", "is a stub"),
        ("def f():\n    from archspec.cli import main\n", "imports archspec.cli"),
        ("from ..cli import main\n", "imports archspec.cli"),
        ("from .. import cli\n", "imports archspec.cli"),
        ("if TYPE_CHECKING:\n    import pickle\n    import archspec.cli\n", None),
        ("model.eval()\n", None),
        ("from ..diagnostics import fail\n", None),
    ],
)
def test_the_checks_bite(source: str, complaint: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "own_modules", lambda: frozenset({"archspec.cli"}))
    file = File(path=PACKAGE / "ir" / "made.py", name="archspec.ir.made", tree=ast.parse(source), lines=1)
    complaints = [*banned(file), *against_the_order(file)]
    assert [text.partition(" ")[2] for text in complaints] == ([complaint] if complaint else [])
