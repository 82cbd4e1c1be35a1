"""LiteLLM's callback for models in groups of their own: the request goes to the group of the chosen model."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol


class Ranker(Protocol):
    """What the hook needs of the plug-in."""

    def known(self, names: Sequence[str]) -> list[str]:
        """Give those of LiteLLM's names that are models that the router knows."""

    async def rank(
        self, messages: Sequence[Mapping[str, object]], offered: Sequence[str], metadata: Mapping[str, object]
    ) -> list[tuple[list[str], dict[str, object]]]:
        """Rank the models on offer."""

    def fail(self) -> None:
        """Count a failure."""


def make_hook(plugin: Ranker, group: str = "auto") -> object:
    """Make the callback for models in groups of their own; it needs LiteLLM, whose callbacks share a class.

    A request for `group` goes to the group of the chosen model, with the next best as its fallbacks. LiteLLM runs it
    after it has let the request in, so only groups that the caller's key may use are on offer. A request that passes
    goes to the deployments of `group`.

    Args:
        plugin: what chooses; its counts hold these requests too.
        group: name of the group whose requests are routed.
    """

    async def async_pre_call_hook(
        _self: object, *, user_api_key_dict: object, data: dict[str, Any], **_unread: object
    ) -> dict[str, Any]:
        if data.get("model") == group and isinstance(data.get("messages"), list):
            try:
                names = [name for name in plugin.known(_groups()) if name != group]
                offered = [name for name in names if await _may_use(user_api_key_dict, name)]
                metadata = data.get("litellm_metadata") or data.get("metadata") or {}
                ranked = await plugin.rank(data["messages"], offered, metadata)
                if ranked:
                    data["model"], *others = [names[0] for names, _ in ranked]
                    data.setdefault("fallbacks", others)
            except Exception:
                plugin.fail()
        return data

    # LiteLLM looks for the method among those of the class itself, and passes the arguments by name.
    base = import_module("litellm.integrations.custom_logger").CustomLogger
    return type("GroupHook", (base,), {"async_pre_call_hook": async_pre_call_hook})()


def _groups() -> list[str]:
    router = import_module("litellm.proxy.proxy_server").llm_router
    # The second is the name before there was a registry.
    names = router.registry().names() if hasattr(router, "registry") else router.get_model_names()
    return list(dict.fromkeys(names))


async def _may_use(caller: object, group: str) -> bool:
    """Ask LiteLLM whether a key, its team and its user may use a group."""
    proxy = import_module("litellm.proxy.proxy_server")
    checks = import_module("litellm.proxy.auth.auth_checks")
    try:
        await checks.can_key_call_resolved_model(
            model=group, llm_model_list=None, valid_token=caller, llm_router=proxy.llm_router
        )
    except Exception:  # a key whose rights cannot be looked up has none
        return False
    return True
