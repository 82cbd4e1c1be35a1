"""Conversations as gateways have them: the text of theirs that is routed by."""

from vsr.data.messages import LAST, TEXTS_OF, Message, TextOf, text_of

__all__ = ["LAST", "TEXTS_OF", "Message", "TextOf", "text_of"]
