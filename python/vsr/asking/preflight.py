"""One connection to every endpoint before a run, so that a dead one is named within seconds; nothing is asked."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from vsr.asking.models import AskedModel

_LONGEST_S = 3.0


@dataclass(frozen=True)
class Unreachable:
    """An endpoint that lets nobody in.

    Attributes:
        endpoint: its name.
        host: host and port.
        problem: what happened, as the system says it.
        models: who would be asked there.
    """

    endpoint: str
    host: str
    problem: str
    models: tuple[str, ...]


async def unreachable(models: Iterable[AskedModel]) -> list[Unreachable]:
    """Find the endpoints that let nobody in.

    Args:
        models: who is to be asked.

    Returns:
        Those that refuse or do not answer within three seconds, in their order.
    """
    urls: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for model in models:
        for target in model.targets:
            urls[target.endpoint] = target.url
            names.setdefault(target.endpoint, []).append(model.name)
    problems = await asyncio.gather(*map(_problem, urls.values()))
    return [
        Unreachable(name, urlsplit(urls[name]).netloc, problem, tuple(names[name]))
        for name, problem in zip(urls, problems, strict=True)
        if problem is not None
    ]


async def refusals(models: Iterable[AskedModel]) -> list[str]:
    """Say which endpoints let nobody in.

    Args:
        models: who is to be asked.

    Returns:
        A sentence for each that refuses, in their order.
    """
    return [
        f"Endpoint '{each.endpoint}' lets nobody in ({each.host}: {each.problem}); it is asked all the same."
        for each in await unreachable(models)
    ]


async def _problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        async with asyncio.timeout(_LONGEST_S):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        return f"no connection within {_LONGEST_S:g} s"
    except ConnectionRefusedError:
        return "connection refused"  # with several addresses the system's own words are all of them
    except (OSError, ValueError) as error:
        return (error.strerror if isinstance(error, OSError) else None) or str(error)
    writer.close()
    return None
