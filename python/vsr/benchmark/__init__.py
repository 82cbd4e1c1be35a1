"""Ask every LLM every query over HTTP, score the answers, lose nothing."""
