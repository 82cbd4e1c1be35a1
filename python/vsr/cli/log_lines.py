"""What modules log, as lines of the terminal: for commands that run for long."""

import logging

from vsr.cli import terminal


class _Handler(logging.Handler):
    """Passes what is logged on to the terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            terminal.warn(message)
        else:
            terminal.say(message)


def show_log() -> None:
    """Show from now on what the package logs."""
    logger = logging.getLogger("vsr")
    logger.handlers = [_Handler()]
    logger.propagate = False
    logger.setLevel(logging.INFO)
