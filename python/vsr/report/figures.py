"""How figures are written: money, seconds, shares, points."""

import math

NOT_KNOWN = "–"
# A figure and its sign stay on one line.
_PER_CENT = "\u202f%"


def quality(value: float | None) -> str:
    """Write a quality or a utility."""
    return NOT_KNOWN if value is None else f"{value:.3f}"


def usd(value: float | None) -> str:
    """Write US dollars with three digits that say something: `$0.113`, `$3.1e-07`."""
    if value is None:
        return NOT_KNOWN
    if value <= 0.0:
        return "free"
    if value < 1e-5:
        return f"${value:.1e}"
    return f"${value:.{max(2, 2 - math.floor(math.log10(value)))}f}"


def usd_per_1000(value: float | None) -> str:
    """Write what 1,000 queries cost, from dollars per query: a unit in which most models cost cents or dollars."""
    return usd(None if value is None else 1000.0 * value)


def seconds(value: float | None) -> str:
    """Write seconds, small ones in smaller units."""
    if value is None:
        return NOT_KNOWN
    if 0.0 < value < 1e-3:
        return f"{value * 1e6:,.0f} µs"
    return f"{value * 1e3:,.0f} ms" if 0.0 < value < 0.1 else f"{value:,.2f} s"


def share(value: float | None) -> str:
    """Write a share in per cent; what is there is never 0 %."""
    if value is None:
        return NOT_KNOWN
    return f"<1{_PER_CENT}" if 0.0 < value < 0.005 else f"{100.0 * value:.0f}{_PER_CENT}"


def points(difference: float | None) -> str:
    """Write a difference of quality or utility in points, with a true minus; nothing has no sign."""
    if difference is None:
        return NOT_KNOWN
    shown = f"{100.0 * difference:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def whole_points(difference: float) -> str:
    """Write a difference on one query, which has no decimals worth reading."""
    return f"{100.0 * difference:+.0f}".replace("-", "−")


def interval(low: float, high: float) -> str:
    """Write both ends of an interval in points."""
    return f"{points(low)} to {points(high)}"


def change(new: float | None, old: float | None) -> str:
    """Write how much more or less than something else, in per cent; empty where that says nothing."""
    if new is None or old is None or old <= 0.0:
        return ""
    shown = f"{100.0 * (new / old - 1.0):+.0f}"
    return "no change" if shown in ("+0", "-0") else shown.replace("-", "−") + _PER_CENT


def shares(selection: dict[str, float], most: int = 4) -> str:
    """Write who answers how much, the commonest first."""
    ordered = sorted(selection.items(), key=lambda item: -item[1])
    rest = ordered[most:]
    said = [f"{name} {share(value)}" for name, value in ordered[:most]]
    if rest:
        said.append(f"{len(rest)} more {share(sum(value for _, value in rest))}")
    return ", ".join(said)
