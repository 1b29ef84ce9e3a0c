"""All operators, each with the judge that should catch it."""

from __future__ import annotations

from tests.mutation import masks, places, values
from tests.mutation.operators import Changes, Judge, Operator


def _all(judge: Judge, named: dict[str, Changes]) -> tuple[Operator, ...]:
    return tuple(Operator(name=name, judge=judge, changes=changes) for name, changes in named.items())


OF_RULES = _all(
    "rules",
    {
        "drop the mask": masks.drop_mask,
        "drop a condition of a mask": masks.drop_term,
        "swap and and or": masks.swap_and_or,
        "see one position ahead": masks.of_leaves(masks.see_one_ahead),
        "widen a window by one": masks.of_leaves(masks.widen),
        "narrow a window by one": masks.of_leaves(masks.narrow),
        "shift a prefix by one": masks.shift_prefix,
        "invert a predicate": masks.invert_predicate,
        "drop the guard of empty rows": masks.drop_keep,
        "pool padding, too": masks.pool_all,
        "shift keys ahead": places.shift_keys(-1),
        "mix the batch": places.mix_batch,
        "shift the batch": places.shift_batch,
        "attend over the batch": places.attend_over_batch,
        "normalise over the batch": places.normalise_over(0),
        "mix positions": places.mix_positions,
        "look one position ahead": places.look_ahead,
        "normalise over positions": places.normalise_over(1),
    },
)
"""Mistakes in who reads whom."""

OF_VALUES = _all(
    "contract",
    {
        "shift keys behind": places.shift_keys(1),
        "lag one position behind": places.lag_behind,
        "drop the condition of a choice": masks.drop_condition,
        "take the position beside": places.take_next,
        "offset positions": places.offset_positions,
        "lose a residual": values.lose_residual,
        "lose a branch": values.lose_branch,
        "lose a factor": values.lose_factor,
        "lose an addend": values.lose_addend,
        "lose a norm": values.lose_norm,
        "lose an activation": values.lose_activation,
        "another activation": values.another_activation,
        "lose a bias": values.lose_bias,
        "another scale": values.other_scale,
        "swap queries and keys": values.swap_queries,
        "swap keys and values": values.swap_values,
        "permute heads": values.permute_heads,
        "merge axes in the wrong order": values.swap_merged,
        "turn a map": values.turn_map,
        "swap operands": values.swap_operands,
        "another pool": values.other_pool,
        "other experts": values.other_experts,
        "reverse distances": values.reverse_bias,
        "another rotation": values.other_rotary,
    },
)
"""Mistakes in what is computed of what is read."""

OPERATORS = (*OF_RULES, *OF_VALUES)
