"""No verdict, message or line of source depends on the seed of the hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.spec.shipped import shipped_specs_dir
from tests.mutation.shipped import REPRESENTATIVES
from tests.rules.seeds import under

CASES = sorted(str(path) for path in (Path(__file__).resolve().parents[1] / "cases").glob("*.yaml"))
SPECS = sorted(str(path) for path in shipped_specs_dir().glob("*.yaml"))
SOME = SPECS[::6]


def test_two_seeds_give_the_same_bytes() -> None:
    files = [*CASES, *SOME]
    answers = [under(seed, files) for seed in (1, 2)]
    assert len(answers[0].splitlines()) == len(files)
    assert answers[0] == answers[1]


@pytest.mark.slow
@pytest.mark.parametrize("here", [True, pytest.param(False, marks=pytest.mark.long)])
def test_every_shipped_spec_gives_the_same_bytes_under_two_seeds(here: bool) -> None:
    """Those that use every op in every way, and the others in long runs; some are above."""
    files = [path for path in SPECS if (Path(path).stem in REPRESENTATIVES) is here and path not in SOME]
    assert len({under(seed, files) for seed in (0, 3)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("asked", [["--fuzz", "25"], ["--build", "gpt2"]])
def test_random_files_and_bundles_are_the_same_under_two_seeds(asked: list[str]) -> None:
    answers = [under(seed, asked) for seed in (1, 2)]
    assert len(answers[0].splitlines()) in (1, 25)
    assert answers[0] == answers[1]
