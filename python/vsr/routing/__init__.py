"""What a gateway imports: text in, model out."""

from vsr.routing.router import DisabledRouter, Router

__all__ = ["DisabledRouter", "Router"]
