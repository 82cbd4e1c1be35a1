"""Plug-ins that misbehave on purpose; the proxy of a test loads them from the folder of its configuration."""

import atexit
import json
import os
import time
from pathlib import Path

from vsr.errors import ArtefactError
from vsr.integrations.litellm import RoutingPlugin
from vsr.routing import ModelRouter, Router


class Failing(ModelRouter):
    def __init__(self, router):
        self.router = router
        self.is_warm = False

    def route(self, requests, embeddings=None):
        if self.is_warm:
            raise ArtefactError("broken on purpose")
        self.is_warm = True
        return self.router.route(requests, embeddings)


class Slow(Failing):
    def route(self, requests, embeddings=None):
        if self.is_warm:
            time.sleep(0.3)
        self.is_warm = True
        return self.router.route(requests, embeddings)


def _plugin(kind, **options):
    router = Router.load(os.environ["VSR_MODELS_DIR"])
    made = RoutingPlugin(kind(router), names={name: name for name in router.models}, **options)
    made._models = frozenset(router.models)
    return made


failing, slow = _plugin(Failing), _plugin(Slow, timeout_s=0.03)


@atexit.register
def _write_counts():
    counts = {"failing": failing.counts, "slow": slow.counts}
    Path(os.environ["COUNTS"]).write_text(json.dumps(counts), encoding="utf-8")
