"""What every test shares: nothing is written beside the sources, and no property test has a deadline."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests.options import USED, marked, recording

# No test finds what another run, or the user, has built and kept; the workers of one run share what they build, in the
# folder of the process that starts them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["ARCHSPEC_CACHE"] = tempfile.mkdtemp(prefix="archspec-cache-")
    atexit.register(shutil.rmtree, os.environ["ARCHSPEC_CACHE"], ignore_errors=True)
set_hypothesis_home_dir(Path(tempfile.gettempdir(), "archspec-hypothesis"))
settings.register_profile(
    "archspec", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("archspec")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files are written anew on demand, and then reviewed as a diff."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-golden"))


def pytest_collection_finish() -> None:
    """The collector of garbage passes over what is loaded now, which stays: it took a quarter of an export's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Record which options the specs hold that a marked test reads, in its fixtures too."""
    if not marked(item):
        return (yield)
    with recording() as item.stash[USED]:
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that is marked with an option tries it."""
    result = yield
    idle = marked(item) - item.stash.get(USED, set())
    if idle:
        pytest.fail(f"marked with options that it does not try: {', '.join(sorted(idle))}", pytrace=False)
    return result
