"""Questions about three subjects, and three models that know one of them each."""

import numpy as np

from vsr.data.outcomes import Outcomes

TOPICS = {
    "math": ("integral", "equation", "triangle", "prime"),
    "law": ("contract", "court", "statute", "plaintiff"),
    "biology": ("cell", "enzyme", "protein", "membrane"),
}
MODELS = ("newton", "cicero", "darwin")
WIDTH = 64
LAW = "Which court reads this contract, and which statute?"


def text_outcomes(n_queries: int = 120, *, labelled: bool = True) -> Outcomes:
    """Questions about three subjects; each model knows one of them."""
    generator = np.random.default_rng(0)
    names = list(TOPICS)
    subject = np.arange(n_queries) % 3
    queries = [
        f"What is the {' '.join(generator.permutation(TOPICS[names[topic]])[:3])} number {number}?"
        for number, topic in enumerate(subject)
    ]
    expected = np.where(subject[:, None] == np.arange(3), 0.9, 0.2)
    return Outcomes(
        queries=queries,
        categories=[names[topic] if labelled else None for topic in subject],
        models=MODELS,
        quality=(generator.random((n_queries, 3)) < expected).astype(float),
        latency_s=np.tile([1.0, 2.0, 3.0], (n_queries, 1)),
    )
