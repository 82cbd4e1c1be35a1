"""LiteLLM (1.94 or newer) asks the router: `plugin` for models that share a group, `hook` for groups of their own.

Both are made when LiteLLM reads its configuration, of the folder in VSR_MODELS_DIR or the file in VSR_CONFIG:

    router_settings: {plugins: [vsr.integrations.litellm.plugin]}
    litellm_settings: {callbacks: [vsr.integrations.litellm.hook]}

LiteLLM catches no exception of a plug-in and waits for it as long as it takes. Here every request passes: what fails,
is late or finds all threads busy is left to LiteLLM's own choice, and counted.
"""

import math
import os
import sys

from vsr.config import RouterConfig, load_config
from vsr.errors import ConfigError
from vsr.integrations.litellm_hook import make_hook
from vsr.integrations.litellm_plugin import RoutingPlugin
from vsr.routing.conversations import Conversations
from vsr.routing.reloading import ReloadingRouter

__all__ = ["RoutingPlugin", "make_hook", "plugin_from_environment"]


def plugin_from_environment() -> RoutingPlugin:
    """Make the plug-in of the configuration in VSR_CONFIG or the folder in VSR_MODELS_DIR.

    VSR_LITELLM_TIMEOUT_S, where it is set, is how long a request waits for the choice.

    Raises:
        VsrError: Not exactly one of the two is set, or a variable leads to nothing that can be used.
    """
    config_path, models_dir = os.environ.get("VSR_CONFIG"), os.environ.get("VSR_MODELS_DIR")
    timeout_s = _timeout_s(os.environ.get("VSR_LITELLM_TIMEOUT_S"))
    if config_path and not models_dir:
        config = load_config(config_path)
        held = Conversations.shared(config_path)
        router = ReloadingRouter.from_config(config_path)
        return RoutingPlugin(router, timeout_s, names=_ids_of(config), conversations=held)
    if models_dir and not config_path:
        held = Conversations.shared(models_dir)
        return RoutingPlugin(ReloadingRouter.load(models_dir), timeout_s, conversations=held)
    found = "both are" if config_path else "neither is"
    raise ConfigError(
        f"environment: {found} set of VSR_CONFIG and VSR_MODELS_DIR; expected one of them, the path of the gateway's "
        "configuration or of the folder of the artefacts"
    )


def _timeout_s(value: str | None) -> float | None:
    try:
        timeout_s = float(value) if value else None
    except ValueError:
        timeout_s = math.nan
    if timeout_s is not None and not timeout_s > 0:
        raise ConfigError(f"environment: VSR_LITELLM_TIMEOUT_S is {value!r}; expected seconds, for example 0.5")
    return timeout_s


def _ids_of(config: RouterConfig) -> dict[str, str]:
    """Map the ids that models have at their servers to their names."""
    return {id_: name for name, entry in config.models.items() for id_ in entry.external_model_ids.values()}


def __getattr__(name: str) -> object:
    """Make `plugin` and `hook` when LiteLLM asks for them, so that what is wrong shows when it starts."""
    if name == "plugin":
        made: object = plugin_from_environment()
    elif name == "hook":
        made = make_hook(sys.modules[__name__].plugin, os.environ.get("VSR_LITELLM_GROUP", "auto"))
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = made
    return made
