"""The five algorithms. They do not know each other; what they share is in `base`, `stopping` and `adam`."""

from vsr.selectors.base import Selector, TrainedSelector

__all__ = ["Selector", "TrainedSelector"]
