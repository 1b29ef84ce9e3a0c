"""Python names made from the names in a spec."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container
from functools import cache

ALWAYS_TAKEN = frozenset({"self", "torch", "nn", "F", "math", "Tensor", "NamedTuple", "Outputs", "annotations"})
"""Names that any emitted file may have at its top level."""


def identifier(text: str, fallback: str = "x") -> str:
    """`text` as an ASCII identifier: other characters become `_`, and a keyword gets a trailing `_`.

    `fallback` is used for a text without valid characters, and as a prefix before a digit.
    """
    # Without the flag, `\W` would leave letters of other scripts.
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def camel(text: str) -> str:
    """`cross_attention` and `cross-attention` as `CrossAttention`; all but ASCII letters and digits is dropped."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", text) if part]
    return "".join(part[:1].upper() + part[1:] for part in parts)


def class_name(text: str) -> str:
    """The name of the class of a spec or a module: camel case, with `Model` before a leading digit or for no name."""
    name = camel(text) or "Model"
    return f"Model{name}" if name[0].isdigit() else name


def unused(name: str, taken: Container[str]) -> str:
    """`name`, or the first of `name_2`, `name_3` and so on that is not taken."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


_TAKEN = (
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double "
    "dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule "
    "half ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters "
    "parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
    "register_state_dict_pre_hook requires_grad_ reset_parameters set_extra_state set_submodule "
    "share_memory state_dict to to_empty train training type xpu zero_grad "
)
MODULE_NAMES = frozenset(_TAKEN.split())
"""Public attributes of `torch.nn.Module`, and those that emitted classes define."""


@cache
def may_be_attribute(name: str) -> bool:
    """Whether a module can have a submodule or a parameter of this name without hiding an attribute of its own."""
    return name.isidentifier() and not (name in MODULE_NAMES or keyword.iskeyword(name) or name.startswith("_"))
