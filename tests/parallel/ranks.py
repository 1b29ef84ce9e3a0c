"""Processes that run functions as the ranks of a process group on gloo."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_GRACE = 2.0
"""Seconds that other ranks have once one has failed: they may wait for it."""


class RankFailure(AssertionError):
    """A rank raised an error, ended or took too long."""


class Ranks:
    """Runs functions in processes of their own, with a process group of their own.

    The processes are forked from a server that has loaded torch, and end after one run: sockets of a group whose other
    ends are gone keep threads of gloo busy for as long as anything refers to the group.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.parallel.preloaded"])

    def run(self, count: int, function: Callable[..., Any], *args: Any, timeout: float = 120) -> list[Any]:
        """Run `function(*args)` on `count` ranks at once and return what each returns, by rank.

        The function is found by its name, so it stands at the top of a module. It and what it returns are pickled.
        Raises RankFailure with the traceback of the first rank that fails.
        """
        members: list[tuple[ForkServerProcess, Connection]] = []
        with tempfile.TemporaryDirectory() as folder:
            job = pickle.dumps((count, str(Path(folder, "store")), function, args))
            try:
                for rank in range(count):
                    members.append(self._start(rank, job))
                return _collect([connection for _, connection in members], timeout)
            finally:
                for process, connection in members:
                    process.kill()
                    process.join()
                    connection.close()

    def _start(self, rank: int, job: bytes) -> tuple[ForkServerProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, rank, job), daemon=True)
        process.start()
        theirs.close()
        return process, ours


def _collect(connections: Sequence[Connection], timeout: float) -> list[Any]:
    """Wait for all ranks; once one has failed, the others get a short time to tell of errors too."""
    waiting = {connection: rank for rank, connection in enumerate(connections)}
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
        raise RankFailure(problem)
    return [results[rank] for rank in range(len(connections))]


def _received(connection: Connection) -> tuple[bool, Any]:
    try:
        found: tuple[bool, Any] = pickle.loads(connection.recv_bytes())
    except EOFError:
        return False, "the process ended"
    return found


def _serve(connection: Connection, rank: int, job: bytes) -> None:
    """Run a job as one of its ranks, and end."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    try:
        count, store, function, args = pickle.loads(job)
        dist.init_process_group(
            "gloo", store=dist.FileStore(store, count), rank=rank, world_size=count, timeout=timedelta(seconds=60)
        )
        torch.manual_seed(0)
        result = True, function(*args)
        # Nobody leaves while another still waits for what it sends.
        dist.barrier()
    except BaseException:  # noqa: BLE001 - whatever it is, the test is told
        result = False, traceback.format_exc()
    connection.send_bytes(pickle.dumps(result))
    connection.close()
    # Threads of gloo and torch are not waited for.
    os._exit(0)
