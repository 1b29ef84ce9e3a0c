"""Processes that run functions as the ranks of a process group on gloo: started once, used by many tests."""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_LOADED = [
    *("torch", "torch.distributed.tensor.parallel", "torch.distributed.fsdp", "torch.distributed.checkpoint"),
    *("pytest", "archspec.checking.compiling", "archspec.checking.loading", "archspec.lower.modules"),
]
"""What every process finds loaded."""
_GRACE = 2.0
"""Seconds that other ranks have once one has failed: they may wait for it."""


class RankFailure(AssertionError):
    """A rank raised an error, ended or took too long."""


class Ranks:
    """A pool of processes; each call runs a function in some of them, with a process group of its own."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_LOADED)
        self._members: list[tuple[ForkServerProcess, Connection]] = []

    def run(self, count: int, function: Callable[..., Any], *args: Any, timeout: float = 120) -> list[Any]:
        """Run `function(*args)` on `count` ranks at once and return what each returns, by rank.

        The function is found by its name, so it stands at the top of a module. It and what it returns are pickled.
        Raises RankFailure with the traceback of the first rank that fails.
        """
        while len(self._members) < count:
            self._members.append(self._start())
        with tempfile.TemporaryDirectory() as folder:
            job = pickle.dumps((count, str(Path(folder, "store")), function, args))
            for rank, (_, connection) in enumerate(self._members[:count]):
                connection.send_bytes(pickle.dumps(rank))
                connection.send_bytes(job)
            return self._collect(count, timeout)

    def close(self) -> None:
        """End all processes."""
        for process, connection in self._members:
            process.kill()
            process.join()
            connection.close()
        self._members.clear()

    def _start(self) -> tuple[ForkServerProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _collect(self, count: int, timeout: float) -> list[Any]:
        """Wait for all ranks; after an error all processes are ended, since their state is unknown."""
        waiting = {connection: rank for rank, (_, connection) in enumerate(self._members[:count])}
        results: dict[int, Any] = {}
        problem = ""
        deadline = time.monotonic() + timeout
        while waiting:
            ready = wait(list(waiting), timeout=max(0, deadline - time.monotonic()))
            if not ready:
                problem = problem or f"ranks {sorted(waiting.values())} took more than {timeout:.0f} s"
                break
            for connection in ready:
                rank = waiting.pop(connection)  # type: ignore[call-overload]
                is_right, result = _received(connection)  # type: ignore[arg-type]
                if is_right:
                    results[rank] = result
                elif not problem:
                    problem, deadline = f"rank {rank}: {result}", time.monotonic() + _GRACE
        if problem:
            self.close()
            raise RankFailure(problem)
        return [results[rank] for rank in range(count)]


def _received(connection: Connection) -> tuple[bool, Any]:
    try:
        found: tuple[bool, Any] = pickle.loads(connection.recv_bytes())
    except EOFError:
        return False, "the process ended"
    return found


def _serve(connection: Connection) -> None:
    """Run jobs as they come."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    while True:
        try:
            rank = pickle.loads(connection.recv_bytes())
        except EOFError:
            return
        try:
            count, store, function, args = pickle.loads(connection.recv_bytes())
            dist.init_process_group(
                "gloo", store=dist.FileStore(store, count), rank=rank, world_size=count, timeout=timedelta(seconds=60)
            )
            torch.manual_seed(0)
            result = True, function(*args)
            dist.destroy_process_group()
        except BaseException:  # noqa: BLE001 - whatever it is, the test is told
            result = False, traceback.format_exc()
        connection.send_bytes(pickle.dumps(result))
