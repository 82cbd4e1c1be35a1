"""Plug-ins that misbehave on purpose, and keys with rights; a test's proxy finds this beside its configuration."""

import json
import os
import time
from importlib import import_module
from pathlib import Path

from vsr.errors import ArtefactError
from vsr.integrations.litellm import RoutingPlugin
from vsr.routing import ModelRouter, Router


class Failing(ModelRouter):
    def __init__(self, router):
        self.router = router
        self.models = router.models
        self.is_warm = False

    def route(self, requests):
        if self.is_warm:
            self.misbehave()
        self.is_warm = True
        return self.router.route(requests)

    def misbehave(self):
        raise ArtefactError("broken on purpose")


class Slow(Failing):
    def misbehave(self):
        time.sleep(0.3)


class Counted(RoutingPlugin):
    """Shows its counts to the test, which runs in another process."""

    async def run(self, context):
        narrowed = await super().run(context)
        path = Path(f"{os.environ['COUNTS']}.{type(self.router).__name__}")
        path.write_text(json.dumps(self.counts), encoding="utf-8")
        return narrowed


_router = Router.load(os.environ["VSR_MODELS_DIR"])
failing = Counted(Failing(_router), timeout_s=30)
slow = Counted(Slow(_router), timeout_s=0.03)


async def narrow_key(request, api_key):  # noqa: ARG001 -- LiteLLM passes both by name
    """Know two keys: the master's, and one that may use two models."""
    allowed = ["auto", "sim-small-1b", "sim-medic-8b"] if api_key.endswith("narrow") else []
    return import_module("litellm.proxy._types").UserAPIKeyAuth(api_key=api_key, models=allowed)
