"""Queries of our own in all categories, with answers that are computed or beyond dispute."""

from random import Random

from vsr.data.categories import CATEGORIES
from vsr.data.prompts import unique_key
from vsr.errors import ConfigError
from vsr.simulation.world import humanities, sciences
from vsr.simulation.world.questions import DemoQuery, Topic

N_QUERIES = 40 * len(CATEGORIES)
TOPICS: tuple[Topic, ...] = (*sciences.TOPICS, *humanities.TOPICS)
_N_ATTEMPTS = 1000  # draws in a row that give nothing new before a category counts as exhausted
_DIFFICULTY_SPREAD = 0.12  # standard deviation within a topic


def generate_queries(n_queries: int = N_QUERIES, seed: int = 0) -> tuple[DemoQuery, ...]:
    """Make queries with known answers, as many of each category (but for the remainder), in random order.

    Args:
        n_queries: how many; their texts all differ.
        seed: the same seed and number give the same queries.

    Raises:
        ConfigError: There are not that many different queries.
    """
    rng = Random(seed)  # noqa: S311 (a demo, no secret)
    topics = {category: [topic for topic in TOPICS if topic.category == category] for category in CATEGORIES}
    seen: set[str] = set()
    queries = [_draw_new(rng, topics[CATEGORIES[index % len(CATEGORIES)]], seen) for index in range(n_queries)]
    rng.shuffle(queries)
    return tuple(queries)


def _draw_new(rng: Random, topics: list[Topic], seen: set[str]) -> DemoQuery:
    for _ in range(_N_ATTEMPTS):
        topic = rng.choice(topics)
        question = topic.draw(rng)
        key = unique_key(question.text)
        if key not in seen:
            seen.add(key)
            difficulty = min(max(rng.gauss(topic.difficulty, _DIFFICULTY_SPREAD), 0.0), 1.0)
            return DemoQuery(question, topic.category, topic.kind, difficulty)
    raise ConfigError(
        f"the demo has no new query of {topics[0].category} after {len(seen):,} queries; ask for fewer (--queries)"
    )
