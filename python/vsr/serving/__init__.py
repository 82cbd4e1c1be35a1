"""The choice over HTTP, for gateways that are not Python."""
