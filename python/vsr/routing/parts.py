"""What any router is made of: the artefacts that it rests on, and the models that it can choose."""

from vsr.routing.decisions import DecisionRouter
from vsr.routing.disabled import DisabledRouter
from vsr.routing.protocol import ModelRouter
from vsr.routing.router import Router


def parts_of(router: ModelRouter) -> tuple[Router, ...]:
    """Give the routers of one artefact each that a router rests on; none where it answers by rule."""
    if isinstance(router, DecisionRouter):
        return tuple(router.routers.values())
    return (router,) if isinstance(router, Router) else ()


def known_models(router: ModelRouter) -> frozenset[str]:
    """Name the models that a router can choose of its own."""
    names: set[str | None]
    if isinstance(router, DecisionRouter):
        trained = {model for part in parts_of(router) for model in part.models}
        names = {*trained, *router.config.offered_models(), router.config.default_model}
    elif isinstance(router, DisabledRouter):
        names = {router.default}
    else:
        names = set(getattr(router, "models", ()))  # a router of somebody's own may say them too
    return frozenset(name for name in names if name is not None)


def answering_models(router: ModelRouter) -> frozenset[str]:
    """Name the models that a choice of a router can name: those that it knows, and the adapters of its decisions."""
    adapters: set[str] = set()
    if isinstance(router, DecisionRouter):
        offered = (reference for decision in router.config.decisions for reference in decision.model_refs)
        adapters = {reference.asked_name for reference in offered}
    return known_models(router) | adapters
