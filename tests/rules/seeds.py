"""What `check` says, `compile` writes and `build` stores, as digests: the same under every seed of the hashes.

python -m tests.rules.seeds FILE...     prints one line a file
python -m tests.rules.seeds --seeds 8 FILE...     compares so many seeds
python -m tests.rules.seeds --seeds 8 --fuzz 200     compares random files of the language
python -m tests.rules.seeds --seeds 8 --build NAME...     compares bundles of shipped specs, reduced
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from click.testing import CliRunner


def digests(paths: Iterable[str]) -> str:
    from archspec.cli.check_command import command as check
    from archspec.cli.compile_command import command as compile

    runner, lines = CliRunner(), []
    for path in paths:
        said, written = runner.invoke(check, [path, "--json"]), runner.invoke(compile, [path])
        lines.append(f"{Path(path).stem} {_digest(said.output)} {said.exit_code} {_digest(written.output)}")
    return "\n".join(lines)


def built(names: Iterable[str]) -> str:
    """Digests of the manifests of bundles, and of every file beside: networks hold names, order and sizes of inputs."""
    from archspec.cli import cli
    from tests.steps import steps_here

    lines = []
    with tempfile.TemporaryDirectory() as folder, steps_here():
        # The manifest holds the command, and so the path that it was given.
        os.chdir(folder)
        for name in names:
            # Not NAME itself: the command would read its spec there, and refuse to replace what it reads.
            bundle = Path(f"{name}-built")
            done = CliRunner().invoke(
                cli, ["build", name, "--reduced", "--target", "onnx", "--no-cache", "-o", str(bundle)]
            )
            assert done.exit_code == 0, done.output
            # The report holds seconds and bytes of memory, which are measured.
            files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != "report.json")
            found = " ".join(f"{file.name} {_digest(_unmeasured(file))}" for file in files)
            lines.append(f"{name} {found}")
    return "\n".join(lines)


def _unmeasured(file: Path) -> bytes:
    """A file, a manifest without what follows from the report."""
    if file.name != "manifest.json":
        return file.read_bytes()
    manifest = json.loads(file.read_bytes())
    del manifest["digest"], manifest["files"]["report.json"]
    return json.dumps(manifest).encode()


def random_files(count: int) -> str:
    """Digests of the first files of the fuzz."""
    from tests.yaml_fuzz.make import file_of

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        paths = [f"{number}.yaml" for number in range(count)]
        for number, path in enumerate(paths):
            Path(path).write_text(file_of(0, number).text(), encoding="utf-8")
        return digests(paths)


def _digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:16]


def under(seed: int, paths: Sequence[str]) -> str:
    """The digests of files, or those that an option asks for, in a process of its own."""
    surroundings = {**os.environ, "PYTHONHASHSEED": str(seed)}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.rules.seeds", *paths],
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return ran.stdout


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--build", *names]:
            print(built(names))
            return
        case ["--fuzz", count]:
            print(random_files(int(count)))
            return
        case ["--seeds", *_]:
            pass
        case _:
            print(digests(arguments))
            return
    found = [under(seed, arguments[2:]) for seed in range(int(arguments[1]))]
    print(f"{len(found[0].splitlines())} files, {len(found)} seeds, {len(set(found))} different answers")
    for lines in zip(*(one.splitlines() for one in found), strict=True):
        if len(set(lines)) > 1:
            print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
