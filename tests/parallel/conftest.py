"""The ranks that the tests of this folder share."""

from __future__ import annotations

import pytest

from tests.parallel.ranks import Ranks


@pytest.fixture(scope="session")
def ranks() -> Ranks:
    """Runs functions as ranks; the server that processes are forked from is started at the first run."""
    return Ranks()
