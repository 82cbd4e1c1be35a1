"""The gateway's configuration file, parameters of the algorithms included: typed, checked whole, secrets kept."""

from vsr.config.loading import SECTIONS, check_config, load_config, parse_config
from vsr.config.sections import (
    Algorithm,
    Decision,
    Endpoint,
    Judge,
    ModelEntry,
    ModelReference,
    ModelSelection,
    Pricing,
    RouterConfig,
)

__all__ = [
    "SECTIONS",
    "Algorithm",
    "Decision",
    "Endpoint",
    "Judge",
    "ModelEntry",
    "ModelReference",
    "ModelSelection",
    "Pricing",
    "RouterConfig",
    "check_config",
    "load_config",
    "parse_config",
]
