"""LLMs as judges: what responses are worth that nobody has labelled, and how far these labels are to be trusted."""
