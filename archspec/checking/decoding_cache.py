"""What decoding in steps keeps, as `check` reports it."""

from __future__ import annotations

from archspec.analyses.cache import CacheSize, cache_size
from archspec.diagnostics import Diagnostic, SpecError
from archspec.record import record
from archspec.spec import Spec


@record
class DecodingCache:
    """The bytes of a cache, and those of one row of maximum length; or the reason why there is no cache."""

    size: CacheSize | None = None
    most: int = 0
    length: str = ""
    refused: Diagnostic | None = None


def decoding_cache(spec: Spec) -> DecodingCache | None:
    """The cache of a spec that says how it decodes; None for one that does not. A float counts 4 bytes."""
    if spec.decode is None:
        return None
    # Most specs do not decode, and the pass is a tenth of what a check loads.
    from archspec.passes.incremental.incremental import incremental

    try:
        found = incremental(spec.graph, spec.decode.input, [spec.decode.output])
    except SpecError as error:
        return DecodingCache(refused=error.diagnostics[0])
    size = cache_size(found.state)
    most = size.position.maximum() * found.length.max + size.row.maximum()
    return DecodingCache(size=size, most=most, length=f"{found.length.name} {found.length.max}")
