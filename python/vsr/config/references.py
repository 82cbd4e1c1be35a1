"""What a configuration says of itself: names that must exist somewhere else in it, addresses, keys in the open."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from vsr._spelling import nearest
from vsr.config.document import Document, Location, Problem, dotted
from vsr.config.nodes import shortened
from vsr.config.sections import (
    ROUTER_ALGORITHMS,
    Decision,
    Endpoint,
    ModelEntry,
    RouterConfig,
)
from vsr.config.servers import (
    endpoints_of,
    is_loopback,
    may_share,
    scheme_and_host,
    server_url,
    split_address,
)
from vsr.providers import PROVIDERS
from vsr.selectors import registry

# A longer list of names says nothing.
_MOST_LISTED = 20

_KEY_HEADER = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)
_SHORTEST_KEY = 8


def broken_references(config: RouterConfig, document: Document) -> Iterator[Problem]:
    """Find names that nothing in the file bears, names given twice, and addresses that are none."""
    endpoint_names = tuple(endpoint.name for endpoint in config.vllm_endpoints)
    yield from _taken_twice("vllm_endpoints", endpoint_names, document)
    for index, endpoint in enumerate(config.vllm_endpoints):
        wrong = _wrong_address(endpoint)
        if wrong:
            yield _at(("vllm_endpoints", index, "address"), wrong, document)
    for name, entry in config.models.items():
        yield from _broken_in_model(("model_config", name), entry, endpoint_names, document)
    yield from _taken_twice("decisions", tuple(decision.name for decision in config.decisions), document)
    if config.default_model is not None and config.default_model not in config.models:
        yield _at(("default_model",), _unknown("model", config.default_model, tuple(config.models)), document)
    yield from _taken_twice("judges", tuple(judge.model for judge in config.judges), document, field="model")
    for index, judge in enumerate(config.judges):
        if judge.model not in config.models:
            yield _at(("judges", index, "model"), _unknown("model", judge.model, tuple(config.models)), document)
    for index, decision in enumerate(config.decisions):
        yield from _broken_in_decision(("decisions", index), decision, tuple(config.models), document)


def warnings_about(config: RouterConfig, document: Document) -> Iterator[str]:
    """Name keys that stand in the file as plain text, and keys that travel unencrypted to another machine."""
    with_models_keys = _get_keys_of_models(config)
    for index, endpoint in enumerate(config.vllm_endpoints):
        here: Location = ("vllm_endpoints", index)
        keys: list[Location] = [(*here, "api_key")] if endpoint.api_key is not None else []
        keys += [
            (*here, "headers", header)
            for header, value in endpoint.headers.items()
            if _looks_like_key(header, value.get_secret_value())
        ]
        yield from (_plain_key(place, document) for place in keys if place not in document.from_environment)
        is_sent = bool(keys) or endpoint.name in with_models_keys
        url = server_url(endpoint)
        if is_sent and urlsplit(url).scheme == "http" and not is_loopback(url):
            yield (
                f"line {document.line_of(here)}: endpoint '{endpoint.name}' gets its key over plain http: everybody on "
                "the way can read it; use https (port 443 or an https:// address)."
            )
    for name, entry in config.models.items():
        place: Location = ("model_config", name, "access_key")
        if entry.access_key is not None and place not in document.from_environment:
            yield _plain_key(place, document)


def _looks_like_key(name: str, value: str) -> bool:
    """Whether a header is meant to carry a key; one of a few letters is none."""
    return _KEY_HEADER.search(name) is not None and len(value.strip()) >= _SHORTEST_KEY


def _get_keys_of_models(config: RouterConfig) -> set[str]:
    """Name the endpoints at which a model is asked with a key of its own."""
    servers = {endpoint.name: scheme_and_host(endpoint) for endpoint in config.vllm_endpoints}
    # Models that are asked at the same places count once: a file may have thousands of both.
    asked_alike = {
        (entry.preferred_endpoints, tuple(entry.external_model_ids)): entry
        for entry in config.models.values()
        if entry.access_key is not None
    }
    names: set[str] = set()
    for entry in asked_alike.values():
        asked_at = [endpoint.name for endpoint in endpoints_of(entry, config.vllm_endpoints)]
        names.update(name for name in asked_at if may_share(servers[name], servers[asked_at[0]]))
    return names


def _plain_key(place: Location, document: Document) -> str:
    line = document.line_of(place)
    return f"line {line}: {dotted(place)} is a key as plain text; better write ${{VARIABLE}} and set that."


def _at(place: Location, message: str, document: Document) -> Problem:
    return Problem(document.line_of(place), f"{dotted(place)}: {message}")


def _taken_twice(section: str, names: tuple[str, ...], document: Document, field: str = "name") -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for index, name in enumerate(names):
        place: Location = (section, index, field)
        if name in lines:
            yield _at(place, f"the name '{shortened(name)}' is taken on line {lines[name]}.", document)
        lines.setdefault(name, document.line_of(place))


def _unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    meant = nearest(name, known)
    listed = ", ".join(map(shortened, known[:_MOST_LISTED])) or "none at all"
    more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
    hint = f"did you mean '{shortened(meant)}'?" if meant else f"there is: {listed}{more}."
    return f"there is no {what} '{shortened(name)}'; {hint}"


def _broken_in_model(
    here: Location, entry: ModelEntry, endpoint_names: tuple[str, ...], document: Document
) -> Iterator[Problem]:
    for index, name in enumerate(entry.preferred_endpoints):
        if name not in endpoint_names:
            yield _at((*here, "preferred_endpoints", index), _unknown("endpoint", name, endpoint_names), document)
    known = (*endpoint_names, *PROVIDERS)
    for name in entry.external_model_ids:
        if name not in known:
            yield _at((*here, "external_model_ids", name), _unknown("endpoint or type", name, known), document)


def _broken_in_decision(
    here: Location, decision: Decision, models: tuple[str, ...], document: Document
) -> Iterator[Problem]:
    for index, reference in enumerate(decision.model_refs):
        if reference.model not in models:
            place = (*here, "modelRefs", index, "model")
            yield _at(place, _unknown("model", reference.model, models), document)
    algorithms = (*registry.names(), *ROUTER_ALGORITHMS)
    if decision.algorithm is not None and decision.algorithm.type not in algorithms:
        wrong = _unknown("algorithm", decision.algorithm.type, algorithms)
        yield _at((*here, "algorithm", "type"), wrong, document)


def _wrong_address(endpoint: Endpoint) -> str | None:
    """Say what is wrong with an endpoint's address, if anything is."""
    address = endpoint.address
    if address is None:
        if PROVIDERS[endpoint.type].public_address:
            return None
        return f"is missing: an endpoint of type {endpoint.type} has no public address."
    expected = "this is no address: expected a host name, an IP address or a URL."
    try:
        parts = split_address(address)
        port = parts.port
    except ValueError:
        return expected
    if parts.username is not None or parts.password is not None:
        return "an address must not hold credentials: put the key into api_key."
    if not parts.hostname or any(character.isspace() for character in address):
        return expected
    if parts.scheme not in ("", "http", "https"):
        return f"the scheme is http or https, not {parts.scheme}."
    if parts.query or parts.fragment:
        return "an address has no query and no fragment."
    if "://" not in address and port is not None:
        return f"the port stands in a field of its own: address: {parts.hostname}, port: {port}."
    return None
