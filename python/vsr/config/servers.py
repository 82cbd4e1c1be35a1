"""Where an endpoint lives: its address as a URL, and whether that is this machine."""

import ipaddress
from urllib.parse import urlsplit

from vsr.config.sections import Endpoint

# The hosts of the public services: asked where an endpoint names no address, and the only ones that get the key of
# the service's own environment variable.
PUBLIC_ADDRESSES = {
    "openai": "https://api.openai.com",
    "huggingface": "https://router.huggingface.co",
    "nvidia": "https://integrate.api.nvidia.com",
    "openrouter": "https://openrouter.ai",
}

# The documented host of Hugging Face's former inference API, and what stands in its place today.
_MOVED_HOSTS = {"api-inference.huggingface.co": "router.huggingface.co"}


def server_url(endpoint: Endpoint) -> str:
    """Return scheme, host, port and path of an endpoint, without a slash at the end.

    The scheme is https for port 443 and for the public hosts, else http; a full URL is taken as it is.
    """
    address = endpoint.address or PUBLIC_ADDRESSES.get(endpoint.type, "")
    has_scheme = "://" in address
    parts = urlsplit(address if has_scheme else f"//{address}")
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
    return frozenset(urlsplit(url).hostname or "" for url in PUBLIC_ADDRESSES.values())


def is_public(endpoint: Endpoint) -> bool:
    """Return whether the endpoint is its provider's own public host, reached over https."""
    public = PUBLIC_ADDRESSES.get(endpoint.type)
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
