"""Keys of mixtures of experts."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, Keys, SizeKey, part_of, reads, size

_SMALL = 4
"""The number of experts of a small copy, unless more are chosen."""


def experts(count: str, chosen: str, at: str = "graph.states.feed_forward.experts") -> Keys:
    """The keys that say how many experts there are, and how many are chosen for each position.

    Args:
        count: the key of the number of experts, the constant `experts`.
        chosen: the key of how many are chosen, the constant `top_k`.
        at: the path of the experts.
    """

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        few = configuration[chosen]
        (experts,) = SizeKey(path="").changes(given, configuration).values()
        (top_k,) = SizeKey(path="").changes(few, configuration).values()
        if top_k > experts:
            few.refuse(f"only {experts} experts are there to choose from")
        small = min(experts, _SMALL)
        return {
            "constants": {"experts": experts, "top_k": top_k},
            "reduced.constants": {"experts": small, "top_k": min(top_k, small, 2)},
            f"{at}.top_k": "top_k",
        }

    return {
        count: reads(read, back=size(f"{at}.count").told),
        chosen: part_of(count, back=size(f"{at}.top_k").told),
    }
