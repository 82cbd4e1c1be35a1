"""What a gateway imports: text in, model out."""

from vsr.routing.disabled import DisabledRouter
from vsr.routing.protocol import ModelRouter
from vsr.routing.router import Router

__all__ = ["DisabledRouter", "ModelRouter", "Router"]
