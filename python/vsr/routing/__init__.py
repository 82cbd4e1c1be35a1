"""What a gateway imports: text in, model out."""

from vsr.routing.decisions import DecisionRouter
from vsr.routing.disabled import DisabledRouter
from vsr.routing.protocol import ModelRouter
from vsr.routing.request import Request
from vsr.routing.router import Router

__all__ = ["DecisionRouter", "DisabledRouter", "ModelRouter", "Request", "Router"]
