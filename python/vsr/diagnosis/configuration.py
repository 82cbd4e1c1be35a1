"""Checks of a configuration: what is written wrong, keys that are missing, endpoints that let nobody in."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from vsr.asking.models import AskedModel, AskedModels, asked_models
from vsr.asking.preflight import Unreachable, unreachable
from vsr.config import RouterConfig, check_config
from vsr.diagnosis.findings import Finding, listed
from vsr.errors import BenchmarkError, ConfigError


@dataclass(frozen=True)
class ConfigurationChecked:
    """What a configuration says, and what was found there.

    Attributes:
        findings: in the order of the checks.
        config: None where it has problems.
    """

    findings: tuple[Finding, ...]
    config: RouterConfig | None


def check_configuration(path: str, environment: Mapping[str, str] | None = None) -> ConfigurationChecked:
    """Check a configuration file, and whether its endpoints take a connection; nothing is asked.

    Args:
        path: the YAML file.
        environment: keys and `${VARIABLE}`s are looked for there; the process's by default.
    """
    environment = os.environ if environment is None else environment
    try:
        config, problems = check_config(path, environment=environment)
    except ConfigError as error:
        what = str(error).removeprefix(f"{path}:").strip().rstrip(".")
        found = Finding("error", "configuration", path, what, "The file is checked further once that is right.")
        return ConfigurationChecked((found,), None)
    if config is None:
        return ConfigurationChecked(tuple(_of_problem(path, each.message, each.line) for each in problems), None)
    return ConfigurationChecked((*_check_warnings(path, config), *_check_asking(path, config, environment)), config)


@dataclass(frozen=True)
class AskedChecked:
    """What was found about those who would be asked.

    Attributes:
        findings: in the order of the checks.
        nobody_answers: every model lacks its key or stands behind an endpoint that lets nobody in.
    """

    findings: tuple[Finding, ...]
    nobody_answers: bool


def check_asked(path: str, asked: AskedModels, *, probes: bool = True) -> AskedChecked:
    """Check who is asked before anybody is.

    Args:
        path: the configuration file.
        asked: who.
        probes: whether every endpoint is tried by a connection.
    """
    dead = asyncio.run(unreachable(asked.models)) if probes else []
    useless = {*asked.without_key, *(each.endpoint for each in dead)}
    return AskedChecked(
        (*_check_keys(path, asked), *_check_prices(path, asked.models), *map(partial(_refusing, path), dead)),
        all(target.endpoint in useless for model in asked.models for target in model.targets),
    )


def _of_problem(path: str, message: str, line: int) -> Finding:
    """Take a problem apart: its messages end in what to do, behind a semicolon."""
    what, _, fix = message.rstrip(".").partition("; ")
    fix = f"{fix[:1].upper()}{fix[1:]}{'' if fix.endswith('?') else '.'}" if fix else "Mend it."
    return Finding("error", "configuration", path, what, fix, line)


def _check_warnings(path: str, config: RouterConfig) -> Iterator[Finding]:
    for warning in config.warnings:
        line, _, message = warning.partition(": ")
        number = line.removeprefix("line ")
        what, _, fix = message.rstrip(".").partition("; ")
        yield Finding(
            "warning",
            "configuration",
            path,
            what,
            f"{fix[:1].upper()}{fix[1:]}." if fix else "Look at it.",
            int(number) if number.isdigit() else None,
        )
    if not config.model_selection.enabled:
        what = "model_selection.enabled is false: a router answers with its default"
        yield Finding("note", "disabled", path, what, "Set it to true to choose.", field="model_selection.enabled")


def _check_asking(path: str, config: RouterConfig, environment: Mapping[str, str]) -> Iterator[Finding]:
    if not config.vllm_endpoints:
        what = "nobody can be asked: vllm_endpoints is empty"
        fix = "Fine for `train` and `select`; `benchmark` needs endpoints."
        yield Finding("note", "no-endpoint", path, what, fix, field="vllm_endpoints")
        return
    try:
        asked = asked_models(config, environment)
    except BenchmarkError as error:
        what, _, fix = str(error).removeprefix(f"{config.path}: ").rstrip(".").partition("; ")
        yield Finding("error", "asking", path, what, f"{fix[:1].upper()}{fix[1:]}." if fix else "Mend it.")
        return
    yield from check_asked(path, asked).findings


def _check_keys(path: str, asked: AskedModels) -> Iterator[Finding]:
    for endpoint, variables in asked.without_key.items():
        models = [model.name for model in asked.models if any(t.endpoint == endpoint for t in model.targets)]
        what = f"endpoint '{endpoint}' has no key, and {listed(models)} would be refused there"
        fix = f"Set {' or '.join(variables)}, or api_key in the file."
        yield Finding("error", "missing-key", path, what, fix, field=f"vllm_endpoints.{endpoint}.api_key")
    for warning in asked.warnings:
        if not any(f"endpoint '{endpoint}' has no key" in warning for endpoint in asked.without_key):
            yield Finding("warning", "asking", path, warning, "Mend the configuration if that is not meant.")


def _check_prices(path: str, models: tuple[AskedModel, ...]) -> Iterator[Finding]:
    without = [model.name for model in models if not model.tells_cost]
    if without:
        many = "no model has" if len(without) == len(models) else f"{listed(without)} without"
        what = f"{many} prices: what calls cost stays unknown"
        fix = "Give `pricing`; --cost-share and --max-cost need it. Prices of 0 say that a model is free."
        yield Finding("note", "no-prices", path, what, fix, field="model_config.pricing")


def _refusing(path: str, each: Unreachable) -> Finding:
    are = "is" if len(each.models) == 1 else "are"
    what = f"endpoint '{each.endpoint}' lets nobody in ({each.host}: {each.problem}); "
    what += f"{listed(each.models)} {are} asked there"
    return Finding(
        "error",
        "refused-connection",
        path,
        what,
        "Start the server, or mend address and port.",
        field=f"vllm_endpoints.{each.endpoint}",
    )
