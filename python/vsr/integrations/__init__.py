"""Other people's gateways ask the router here; a module imports its gateway only when that runs it."""
