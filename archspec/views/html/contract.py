"""The contract on a bundle: what was proved on the graph, and what was measured on the network of each engine."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.bundle.manifest import Manifest
from archspec.bundle.report import FindingEntry, NetworkEntry
from archspec.bundle.summary import Described
from archspec.views.html.artifacts import listed
from archspec.views.html.markup import Content, Html, code, joined, name, table, tag
from archspec.views.html.numbers import counted
from archspec.views.html.verdicts import Kind, badge, status

_KINDS: dict[str, Kind] = {"holds": "good", "violated": "bad", "not measured": "plain"}


def contract(bundle: Described) -> Html:
    """A table with a row for each rule and each further claim: the verdict on the graph, and what was measured."""
    manifest, networks = bundle.manifest, bundle.report.networks
    heads = ("rule or claim", "on the graph, for all weights", *(_head(one) for one in networks))
    rows = [_row(claim, manifest, networks) for claim in _claims(manifest, networks)]
    return joined(
        _unproved(manifest),
        table("What was proved, and what was tested", heads, rows, prose=range(1, len(heads))),
        [_network(one, manifest) for one in networks],
        _untested(bundle),
    )


def _head(network: NetworkEntry) -> str:
    return f"on the network of {network.engine}, {network.dtype}, with these weights"


def _claims(manifest: Manifest, networks: Sequence[NetworkEntry]) -> list[str]:
    """The rules of the spec, and then what else was measured."""
    found = [one.rule for one in manifest.verdicts]
    return list(dict.fromkeys([*found, *(_as_rule(one.claim) for network in networks for one in network.findings)]))


def _as_rule(claim: str) -> str:
    """A claim under the name of its rule: independence is written without `dim:` where it is measured."""
    inner = claim.removeprefix("independent(")
    return claim if inner == claim or ":" in inner else f"independent(dim: {inner}"


def _row(claim: str, manifest: Manifest, networks: Sequence[NetworkEntry]) -> Sequence[Content]:
    verdict = next((one for one in manifest.verdicts if one.rule == claim), None)
    proved = "–" if verdict is None else joined(status(verdict.status), _detail(verdict.explanation))
    # What is no rule is in words.
    return code(claim) if "(" in claim else claim, proved, *(_measured(claim, network) for network in networks)


def _measured(claim: str, network: NetworkEntry) -> Content:
    found = next((one for one in network.findings if _as_rule(one.claim) == claim), None)
    return "–" if found is None else joined(badge(found.status, _KINDS[found.status]), _detail(_runs(found)))


def _runs(found: FindingEntry) -> str:
    return "; ".join(filter(None, (counted(found.trials, "run") if found.trials else "", found.detail)))


def _detail(words: str) -> Html | None:
    return tag("p", name(words)) if words else None


def _unproved(manifest: Manifest) -> Html | None:
    """What did not hold when the bundle was built all the same."""
    if not manifest.unproved:
        return None
    told = [tag("li", name(message)) for message in manifest.unproved]
    return tag(
        "div", tag("p", badge("unproved", "bad"), " The bundle was built although this does not hold:"), tag("ul", told)
    )


def _network(network: NetworkEntry, manifest: Manifest) -> Html:
    """Which artifacts a network is that of, by its digest, and how large it is."""
    tied = [one.name for one in listed(manifest) if one.entry.network == network.digest]
    layers = f"{sum(network.layers.values()):,} layers"
    return tag(
        "p",
        f"The network of {network.engine}, {network.dtype}, has {layers} and the digest ",
        code(network.digest),
        f", which is that of {', '.join(tied)}." if tied else ", which is that of no artifact.",
    )


def _untested(bundle: Described) -> Html | None:
    """Artifacts whose rules were not measured when the bundle was built."""
    digests = {one.digest for one in bundle.report.networks}
    names = [one.name for one in listed(bundle.manifest) if one.entry.network not in digests]
    if not names:
        return None
    told = f"The build compared the outputs of {', '.join(names)}, and did not measure rules on them; "
    return tag("p", told, code("archspec verify"), " does.")
