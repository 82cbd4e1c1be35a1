"""One connection to every endpoint before a run, so that a dead one is named within seconds; nothing is asked."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from vsr.asking.models import AskedModel

_LONGEST_S = 3.0


async def refusals(models: Iterable[AskedModel]) -> list[str]:
    """Say which endpoints let nobody in.

    Args:
        models: who is to be asked.

    Returns:
        A sentence for each that refuses, in their order.
    """
    urls = {target.endpoint: target.url for model in models for target in model.targets}
    problems = await asyncio.gather(*map(_problem, urls.values()))
    return [
        f"Endpoint '{name}' lets nobody in ({urlsplit(urls[name]).netloc}: {problem}); it is asked all the same."
        for name, problem in zip(urls, problems, strict=True)
        if problem is not None
    ]


async def _problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        async with asyncio.timeout(_LONGEST_S):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        return f"no connection within {_LONGEST_S:g} s"
    except (OSError, ValueError) as error:
        return (error.strerror if isinstance(error, OSError) else None) or str(error)
    writer.close()
    return None
