"""The pool of ranks itself: groups of several sizes one after another, and errors that do not hang."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from tests.parallel.ranks import RankFailure, Ranks


def summed(number: int) -> tuple[int, int]:
    held = torch.tensor([number + dist.get_rank()])
    dist.all_reduce(held)
    return dist.get_world_size(), int(held)


def one_fails() -> None:
    if dist.get_rank() == 1:
        raise ValueError("this one")
    dist.barrier()


def test_each_call_has_a_group_of_its_own(ranks: Ranks) -> None:
    assert ranks.run(2, summed, 10) == [(2, 21)] * 2
    assert ranks.run(4, summed, 0) == [(4, 6)] * 4
    assert ranks.run(1, summed, 5) == [(1, 5)]


def test_an_error_of_one_rank_is_told_and_the_next_call_works(ranks: Ranks) -> None:
    with pytest.raises(RankFailure, match=r"rank 1(.|\n)*ValueError: this one"):
        ranks.run(2, one_fails)
    assert ranks.run(2, summed, 1) == [(2, 3)] * 2
