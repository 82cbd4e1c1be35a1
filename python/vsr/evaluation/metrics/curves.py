"""Metrics of a sweep over the objective: points of mean cost and mean quality, (n, 2) float64, in any order."""

import numpy as np

from vsr.prior.category_means import FloatArray


def non_decreasing_hull(points: FloatArray) -> FloatArray:
    """Give the vertices of the non-decreasing convex hull: what mixing the points reaches at every cost.

    Args:
        points: (n, 2) cost and quality, n > 0.

    Returns:
        (m, 2) float64, cost and quality both rising.
    """
    hull: list[FloatArray] = []
    for point in pareto_frontier(points):
        while len(hull) >= 2 and _is_below(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.array(hull)


def aiq(points: FloatArray, cheapest: float, dearest: float) -> float:
    """Average improvement in quality: area under the hull between two costs, over their distance.

    Left of its first point a method is mixed with a router that costs and answers nothing, right of its last one
    nothing is gained by paying more (Hu et al. 2024, section 3).

    Args:
        points: (n, 2) cost and quality.
        cheapest: lower end of the range that all methods share.
        dearest: upper end, above it.
    """
    hull = non_decreasing_hull(points)
    if hull[0, 0] > 0.0:
        hull = np.vstack([[0.0, 0.0], hull])
    return _area(hull, cheapest, dearest) / (dearest - cheapest)


def deferral_area(points: FloatArray, dearest: float) -> float:
    """Area under the highest quality for no more than a cost, from 0 to the dearest model's cost, as a share of it.

    Args:
        points: (n, 2) cost and quality.
        dearest: cost that counts 1.
    """
    return _area(pareto_frontier(points), 0.0, dearest) / dearest


def quality_neutral_cost(points: FloatArray, quality: float, cost_usd: float) -> float | None:
    """Smallest cost at which the deferral curve reaches a quality, relative to what that quality costs now.

    Args:
        points: (n, 2) cost and quality.
        quality: to be reached.
        cost_usd: what it costs now, above 0.

    Returns:
        The relative cost; None where no point reaches the quality.
    """
    frontier = pareto_frontier(points)
    reached = np.flatnonzero(frontier[:, 1] >= quality)
    if not reached.size:
        return None
    first = int(reached[0])
    if first == 0:
        return float(frontier[0, 0] / cost_usd)
    cost = np.interp(quality, frontier[first - 1 : first + 1, 1], frontier[first - 1 : first + 1, 0])
    return float(cost / cost_usd)


def performance_gain(points: FloatArray, quality: float) -> float | None:
    """Highest quality of the sweep relative to that of a single model, less 1; None where that one has none."""
    return float(points[:, 1].max() / quality - 1.0) if quality > 0.0 else None


def cost_saving(points: FloatArray, quality: float, cost_usd: float) -> float | None:
    """Share of a single model's cost that the cheapest point of at least its quality saves; None if none has it."""
    reaching = points[points[:, 1] >= quality]
    return float(1.0 - reaching[:, 0].min() / cost_usd) if len(reaching) else None


def pareto_frontier(points: FloatArray) -> FloatArray:
    """Give the points that no other one beats at the same cost or less: cost and quality both rising."""
    order = np.lexsort((-points[:, 1], points[:, 0]))
    ordered = points[order]
    highest_before = np.concatenate([[-np.inf], np.maximum.accumulate(ordered[:, 1])[:-1]])
    return np.asarray(ordered[ordered[:, 1] > highest_before])


def pareto_distance(points: FloatArray, pooled: FloatArray) -> float | None:
    """Mean distance of points to the frontier of all methods, both axes scaled to [0, 1] over all points.

    Args:
        points: (n, 2) cost and quality of one method.
        pooled: (m, 2) of all methods, these among them.

    Returns:
        The distance; None where all points cost the same or are equally good.
    """
    low, high = pooled.min(axis=0), pooled.max(axis=0)
    if not (high > low).all():
        return None
    frontier = (pareto_frontier(pooled) - low) / (high - low)
    own = (points - low) / (high - low)
    return float(np.linalg.norm(own[:, None, :] - frontier[None, :, :], axis=2).min(axis=1).mean())


def mix_at(points: FloatArray, cost: float) -> FloatArray:
    """Weights of the points in the mix that is best at a cost: two neighbours on the hull, or one end of it.

    Args:
        points: (n, 2) cost and quality (or another merit), NaN = unknown, which is left out.
        cost: mean cost of the mix, as far as the hull reaches.

    Returns:
        (n,) float64 of sum 1, two entries above 0 at most.
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    hull = non_decreasing_hull(points[known])
    at = [int(known[np.flatnonzero((points[known] == vertex).all(axis=1))[0]]) for vertex in hull]
    weights = np.zeros(len(points))
    right = int(np.searchsorted(hull[:, 0], cost))
    if right == 0 or right == len(hull):
        weights[at[min(right, len(hull) - 1)]] = 1.0
        return weights
    share = (cost - hull[right - 1, 0]) / (hull[right, 0] - hull[right - 1, 0])
    weights[at[right - 1]], weights[at[right]] = 1.0 - share, share
    return weights


def _is_below(left: FloatArray, middle: FloatArray, right: FloatArray) -> bool:
    """Whether the middle of three points of rising cost lies on or below the line between the others."""
    return bool((middle[1] - left[1]) * (right[0] - left[0]) <= (right[1] - left[1]) * (middle[0] - left[0]))


def _area(curve: FloatArray, low: float, high: float) -> float:
    """Integrate a curve of rising costs between two costs; it is flat beyond its ends."""
    inside = curve[(curve[:, 0] > low) & (curve[:, 0] < high), 0]
    at = np.concatenate([[low], inside, [high]])
    return float(np.trapezoid(np.interp(at, curve[:, 0], curve[:, 1]), at))
