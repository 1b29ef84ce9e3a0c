"""Suggest the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option most similar to `word`; None if none is similar enough.

    Case is ignored for an exact match; otherwise the similarity is the ratio of `difflib`, at least 0.6.
    """
    from difflib import get_close_matches

    # Sorted, so that the result does not depend on the order of a set.
    candidates = sorted(set(options))
    # Reversed, so that of options that differ only in case the first one wins.
    by_lower = {option.lower(): option for option in reversed(candidates)}
    if word.lower() in by_lower:
        return by_lower[word.lower()]
    found = get_close_matches(word, candidates, n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, options: Iterable[str], *, kind: str = "names", limit: int = 12) -> str | None:
    """The help for an unknown word: the nearest option, else the list of all options if it is short.

    `kind` names the options in that list. Returns None if no option is similar and there are no options or more than
    `limit`.
    """
    candidates = sorted(set(options))
    # A caller of the package may give anything as a name.
    found = nearest(str(word), candidates)
    if found is not None:
        return f"did you mean `{found}`?"
    if not candidates or len(candidates) > limit:
        return None
    return f"available {kind}: " + ", ".join(f"`{option}`" for option in candidates)
