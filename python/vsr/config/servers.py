"""Where an endpoint lives: its address as a URL, whether that is this machine, and where a model's key may go."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from vsr.config.sections import Endpoint, ModelEntry
from vsr.providers import PROVIDERS

# The documented host of Hugging Face's former inference API, and what stands in its place today.
_MOVED_HOSTS = {"api-inference.huggingface.co": "router.huggingface.co"}


def split_address(address: str) -> SplitResult:
    """Take an address apart: a host name, an IP address (version 6 with or without brackets), or a URL.

    Raises:
        ValueError: It is none of these.
    """
    if "://" in address:
        return urlsplit(address)
    is_bare_v6 = address.count(":") > 1 and not address.startswith("[")
    return urlsplit(f"//[{address}]" if is_bare_v6 else f"//{address}")


def server_url(endpoint: Endpoint) -> str:
    """Return scheme, host, port and path of an endpoint, without a slash at the end.

    The scheme is https for port 443 and for the public hosts, else http; a full URL is taken as it is.
    """
    address = endpoint.address or PROVIDERS[endpoint.type].public_address or ""
    has_scheme = "://" in address
    parts = split_address(address)
    host = (parts.hostname or "").lower()
    if host in _MOVED_HOSTS:
        return f"https://{_MOVED_HOSTS[host]}"
    port = endpoint.port if parts.port is None else parts.port
    if has_scheme:
        scheme = parts.scheme
    else:
        scheme = "https" if port == 443 or (host in public_hosts() and port is None) else "http"
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != {"https": 443, "http": 80}[scheme]:
        shown += f":{port}"
    return f"{scheme}://{shown}{parts.path.rstrip('/')}"


def public_hosts() -> frozenset[str]:
    """Return the host names of the public services."""
    return frozenset(urlsplit(provider.public_address or "").hostname or "" for provider in PROVIDERS.values()) - {""}


def is_public(endpoint: Endpoint) -> bool:
    """Return whether the endpoint is its provider's own public host, reached over https."""
    public = PROVIDERS[endpoint.type].public_address
    if public is None:
        return False
    mine, theirs = urlsplit(server_url(endpoint)), urlsplit(public)
    return (mine.scheme, mine.hostname, mine.port) == (theirs.scheme, theirs.hostname, theirs.port)


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoints_of(entry: ModelEntry, endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
    """Return the endpoints at which a model can be asked; the first one is its home.

    Args:
        entry: the model.
        endpoints: all that there are.

    Returns:
        Those that it names, in its order; else those that it has an id for; else all, where they are of one type and
        the model has no ids. Names of endpoints that do not exist are left out.
    """
    if entry.preferred_endpoints:
        by_name = {endpoint.name: endpoint for endpoint in endpoints}
        return [by_name[name] for name in dict.fromkeys(entry.preferred_endpoints) if name in by_name]
    if entry.external_model_ids:
        ids = entry.external_model_ids
        return [endpoint for endpoint in endpoints if endpoint.name in ids or endpoint.type in ids]
    # One kind of server and no word about ids: the model has one name, valid at all of them.
    return endpoints if len({endpoint.type for endpoint in endpoints}) == 1 else []


def shares_key(endpoint: Endpoint, home: Endpoint) -> bool:
    """Return whether a key given for a model's home may go to this endpoint: same host, and not in the open instead."""
    return may_share(scheme_and_host(endpoint), scheme_and_host(home))


def scheme_and_host(endpoint: Endpoint) -> tuple[str, str | None]:
    """Return what of an endpoint's URL says whether it may share a key."""
    url = urlsplit(server_url(endpoint))
    return url.scheme, url.hostname


def may_share(mine: tuple[str, str | None], home: tuple[str, str | None]) -> bool:
    """Return whether a key for a server at `home` may go to another one; both as `scheme_and_host` gives them."""
    return mine[1] == home[1] and (mine[0] == home[0] or mine[0] == "https")
