"""What `check` says and `compile` writes, as digests: the same under every seed of the hashes.

python -m tests.rules.seeds FILE...     prints one line a file
python -m tests.rules.seeds --seeds 8 FILE...     compares so many seeds
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def under(seed: int, paths: Sequence[str]) -> str:
    """The digests of files in a process of its own."""
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
    if arguments[:1] != ["--seeds"]:
        print(digests(arguments))
        return
    found = [under(seed, arguments[2:]) for seed in range(int(arguments[1]))]
    print(f"{len(arguments) - 2} files, {len(found)} seeds, {len(set(found))} different answers")
    for lines in zip(*(one.splitlines() for one in found), strict=True):
        if len(set(lines)) > 1:
            print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
