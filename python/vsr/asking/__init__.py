"""Asking LLMs over HTTP: one call, its transport, the queues of a run and the journal of its answers."""
