"""What decoding in steps keeps, as `check` reports it."""

from __future__ import annotations

from archspec.analyses.cache import CacheSize, cache_size
from archspec.diagnostics import Diagnostic, SpecError
from archspec.record import record
from archspec.spec import Spec


@record
class DecodingCache:
    """The bytes of a cache, and those of one row of maximum length; or the reason why there is no cache.

    `latents` are the paths of latent attention, each with the reason why keys and values of heads are kept, or with ""
    where latents are.
    """

    size: CacheSize | None = None
    most: int = 0
    length: str = ""
    refused: Diagnostic | None = None
    latents: tuple[tuple[str, str], ...] = ()


def cache_bytes(spec: Spec) -> CacheSize | Diagnostic | None:
    """The bytes of the cache of a spec, or why there is none; None for a spec that does not say how it decodes."""
    if spec.decode is None:
        return None
    from archspec.passes.incremental.incremental import kept_state

    try:
        return cache_size(kept_state(spec.graph, spec.decode.input, [spec.decode.output]))
    except SpecError as error:
        return error.diagnostics[0]


def decoding_cache(spec: Spec) -> DecodingCache | None:
    """The cache of a spec that says how it decodes; None for one that does not. A float counts 4 bytes."""
    if spec.decode is None:
        return None
    # Most specs do not decode, and the pass is a tenth of what a check loads.
    from archspec.passes.absorb_latents import all_latent_heads
    from archspec.passes.incremental.incremental import incremental

    try:
        found = incremental(spec.graph, spec.decode.input, [spec.decode.output])
    except SpecError as error:
        return DecodingCache(refused=error.diagnostics[0])
    size = cache_size(found.state)
    most = size.position.maximum() * found.length.max + size.row.maximum()
    latents = dict.fromkeys((one.attention.scope, one.kept(found.length)) for one in all_latent_heads(spec.graph))
    length = f"{found.length.name} {found.length.max}"
    return DecodingCache(size=size, most=most, length=length, latents=tuple(latents))
