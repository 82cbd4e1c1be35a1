"""The tables of `verdict_truth.py`: how often intervals hold the truth, what is said, and what following it gains."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from routing_quality import Pool
from verdict_recipes import RECIPES, Choices
from verdict_repeats import kept

#: Edges of the power curve, in standard errors of the true gain on a sample of that size.
_POWER_EDGES = (0.0, 1.0, 2.0, 2.7, 3.7, 5.0, np.inf)
#: The gain at which the power is wanted, and how far around it repeats are counted.
_POWER_AT, _POWER_AROUND = 3.2, 0.5

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Repeat:
    """One repeat: its row of the file, and what the package and other recipes say of its choices now.

    Attributes:
        row: as it stands in the file.
        intervals: by recipe; empty where the artefact would always choose the named model.
        verdict: of the package as it is.
        verdict_before: with the rule and the width of before.
    """

    row: dict[str, Any]
    intervals: dict[str, tuple[float, float]]
    verdict: str
    verdict_before: str

    @classmethod
    def of(cls, row: dict[str, Any], pools: dict[str, Pool]) -> "Repeat":
        """Look at the choices of a row once more."""
        choices = Choices(kept(pools[row["data"]], row), row["is_identical"], row["is_table_identical"])
        intervals = {} if row["is_identical"] else {name: recipe(choices) for name, recipe in RECIPES.items()}
        return cls(row, intervals, choices.verdict(), choices.verdict_before())

    @property
    def is_planted(self) -> bool:
        """Whether a gain was planted."""
        return bool(self.row["kind"] == "planted")

    @property
    def power_place(self) -> float:
        """True gain over the named model in standard errors of a sample of that size."""
        return float(self.row["truth_named"] / max(self.row["unit"], 1e-12))

    def holds(self, recipe: str, target: str) -> bool:
        """Whether the interval holds the truth, as far as that is known."""
        low, high = self.intervals[recipe]
        off = abs(self.row[f"truth_{target}"] - (low + high) / 2.0)
        return bool(off <= np.hypot((high - low) / 2.0, 1.96 * self.row[f"truth_{target}_se"]))

    def off(self, recipe: str) -> float:
        """How far the middle is above the truth over the named model."""
        return float(sum(self.intervals[recipe]) / 2.0 - self.row["truth_named"])

    def followed(self, verdict: str) -> float:
        """What deploying a verdict gains over always deploying the named model."""
        return float({"route": self.row["truth_named"], "category_table": self.row["truth_table"]}.get(verdict, 0.0))


def print_tables(rows: list[dict[str, Any]], pools: dict[str, Pool]) -> None:
    """Print, for each label: by group, by cell where there are many repeats, the power curve, and the recipes."""
    for label in dict.fromkeys(row["label"] for row in rows):
        repeats = [Repeat.of(row, pools) for row in rows if row["label"] == label]
        print(f"\n### {label}: {len(repeats)} repeats\n")
        _print_groups(repeats)
        _print_power(repeats)
        _print_recipes(repeats)


def _print_groups(repeats: list[Repeat]) -> None:
    print(
        "| pool | repeats | of them identical, rightly | holds truth over named | over truly best | centre off by | "
        "width | `route` before, now | without a gain before, now | following it, points over named, before, now |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    natural = [each for each in repeats if not each.is_planted]
    print(_group("all but planted", natural))
    for field in ("data", "kind", "n_models", "n_queries"):
        for value in sorted({each.row[field] for each in natural}, key=str):
            print(_group(f"{field} {value}", [each for each in natural if each.row[field] == value]))
    print(_group("planted", [each for each in repeats if each.is_planted]))
    many = _cells(natural)
    worst = sorted((_mean([each.holds("now", "named") for each in own]), len(own), *key) for key, own in many.items())
    print(f"\ncells with 10 repeats or more that are bounded: {len(worst)}; lowest shares: {worst[:4]}")


def _cells(repeats: list[Repeat]) -> dict[tuple[Any, ...], list[Repeat]]:
    cells: dict[tuple[Any, ...], list[Repeat]] = {}
    for each in repeats:
        if each.intervals:
            key = tuple(each.row[field] for field in ("data", "kind", "n_models", "n_queries"))
            cells.setdefault(key, []).append(each)
    return {key: own for key, own in cells.items() if len(own) >= 10}


def _group(name: str, repeats: list[Repeat]) -> str:
    """One row: coverage over both, width, verdicts, false alarms, what following them gains."""
    bounded = [each for each in repeats if each.intervals]
    # "Identical" claims that the gain over the named model is exactly 0.
    identical = [
        abs(each.row["truth_named"]) <= 1.96 * each.row["truth_named_se"] for each in repeats if not each.intervals
    ]
    routes = [[verdict == "route" for verdict in (each.verdict_before, each.verdict)] for each in repeats]
    false = [
        [each.row["truth_named"] <= 0.0 and is_route for is_route in own]
        for each, own in zip(repeats, routes, strict=True)
    ]
    followed = 100.0 * np.array([[each.followed(each.verdict_before), each.followed(each.verdict)] for each in repeats])
    width = [np.ptp(each.intervals["now"]) for each in bounded]
    gains = ", ".join(f"{own.mean():+.2f} ± {own.std() / np.sqrt(len(own)):.2f}" for own in followed.T)
    return (
        f"| {name} | {len(repeats)} | {len(identical)}, {sum(identical)} | "
        f"{_mean([each.holds('now', 'named') for each in bounded]):.3f} | "
        f"{_mean([each.holds('now', 'best') for each in bounded]):.3f} | "
        f"{100.0 * _mean([each.off('now') for each in bounded]):+.2f} | {100.0 * _mean(width):.2f} | "
        f"{', '.join(f'{share:.3f}' for share in np.mean(routes, axis=0))} | "
        f"{', '.join(f'{share:.3f}' for share in np.mean(false, axis=0))} | {gains} |"
    )


def _print_power(repeats: list[Repeat]) -> None:
    planted = [each for each in repeats if each.is_planted and each.row["unit"] > 0.0]
    print(
        "\n| planted: true gain, standard errors | repeats | `route` before, now | `route` or `category_table` before, "
        "now | interval above 0 |\n|---|---|---|---|---|"
    )
    window = (_POWER_AT - _POWER_AROUND, _POWER_AT + _POWER_AROUND)
    for low, high in itertools.pairwise(_POWER_EDGES):
        inside = [each for each in planted if low <= each.power_place < high]
        if not inside:
            continue
        both = [(each.verdict_before, each.verdict) for each in inside]
        route = np.mean([[said == "route" for said in own] for own in both], axis=0)
        pays = np.mean([[said in ("route", "category_table") for said in own] for own in both], axis=0)
        sure = [bool(each.intervals) and each.intervals["now"][0] > 0.0 for each in inside]
        print(
            f"| {low:g} to {high:g} | {len(inside)} | {route[0]:.3f}, {route[1]:.3f} | {pays[0]:.3f}, {pays[1]:.3f} | "
            f"{_mean(sure):.3f} |"
        )
    if len(planted) >= 20:
        place = np.array([each.power_place for each in planted])
        n_inside = int(((place >= window[0]) & (place < window[1])).sum())
        figures = [
            _power_at(place, np.array([said in kinds for said in verdicts], dtype=np.float64))
            for kinds in (("route",), ("route", "category_table"))
            for verdicts in ([each.verdict_before for each in planted], [each.verdict for each in planted])
        ]
        print(
            f"\nlogistic curve over all {len(planted)} planted repeats ({n_inside} of them around it), at {_POWER_AT}: "
            f"`route` {figures[0]:.3f} before, {figures[1]:.3f} now; `route` or `category_table` {figures[2]:.3f} "
            f"before, {figures[3]:.3f} now"
        )


def _power_at(place: Float, said: Float) -> float:
    """Fit a logistic curve by Newton's method, hardly penalised, and read it at the gain that is asked for."""
    rows = np.stack([np.ones(len(place)), place], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-rows @ weights))
        curvature = rows.T @ (rows * (chance * (1.0 - chance) + 1e-9)[:, None]) + 1e-3 * np.eye(2)
        weights += np.linalg.solve(curvature, rows.T @ (said - chance) - 1e-3 * weights)
    return float(1.0 / (1.0 + np.exp(-(weights[0] + weights[1] * _POWER_AT))))


def _print_recipes(repeats: list[Repeat]) -> None:
    """Print what other recipes say of the same choices."""
    natural = [each for each in repeats if each.intervals and not each.is_planted]
    planted = [each for each in repeats if each.is_planted and each.row["unit"] > 0.0]
    if not natural:
        return
    print(
        f"\n| interval ({len(natural)} repeats) | holds truth over named | over truly best | by queries (named) | "
        "worst kind (named) | centre off by | width | above 0 where the truth is not | above 0 at a gain of 3.2 |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    place = np.array([each.power_place for each in planted])
    for name in RECIPES:

        def share(field: str, name: str = name) -> list[float]:
            return [
                _mean([each.holds(name, "named") for each in natural if each.row[field] == value])
                for value in sorted({each.row[field] for each in natural})
            ]

        above = np.array([bool(each.intervals) and each.intervals[name][0] > 0.0 for each in planted], dtype=np.float64)
        false = [each.intervals[name][0] > 0.0 and each.row["truth_named"] <= 0.0 for each in natural]
        power = f"{_power_at(place, above):.3f}" if len(planted) >= 20 else "-"
        print(
            f"| {name} | {_mean([each.holds(name, 'named') for each in natural]):.3f} | "
            f"{_mean([each.holds(name, 'best') for each in natural]):.3f} | "
            f"{', '.join(f'{own:.3f}' for own in share('n_queries'))} | {min(share('kind')):.3f} | "
            f"{100.0 * _mean([each.off(name) for each in natural]):+.2f} | "
            f"{100.0 * _mean([np.ptp(each.intervals[name]) for each in natural]):.2f} | {_mean(false):.3f} | {power} |"
        )


def _mean(values: list[Any]) -> float:
    return float(np.mean(values)) if values else float("nan")
