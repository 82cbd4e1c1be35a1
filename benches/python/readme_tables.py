"""Tables in a README between marks, written by programs and by nobody else, with what they were measured on.

A table is what stands between `<!-- table: NAME -->` and `<!-- end -->`: for every processor that it was measured on, a
paragraph that says so and the figures, the newest first.
"""

import datetime as dt
import functools
import importlib.metadata
import os
import platform
import re
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "benches" / "README.md"
_WIDTH = 124  # of the README's lines
_INSTRUCTIONS = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2"}


def block(name: str) -> re.Pattern[str]:
    """Match the table of this name, its marks included."""
    return re.compile(rf"^<!-- table: {re.escape(name)} -->\n(.*?)^<!-- end -->$", re.M | re.S)


def put(readme: Path, name: str, conditions: str, content: str) -> None:
    """Replace what stands in the table of this name for this processor; that of others stays below it.

    Args:
        readme: The file.
        name: Of the table.
        conditions: What `described` says of this run.
        content: What was measured.

    Raises:
        LookupError: If the file has no such table, or more than one.
    """
    text = readme.read_text(encoding="utf-8")
    if len(found := list(block(name).finditer(text))) != 1:
        raise LookupError(f"{readme}: {len(found)} tables '{name}', expected one between <!-- table: {name} --> marks")
    start, end = found[0].span()
    sections = re.split(r"^(?=Measured )", found[0][1], flags=re.M)
    here = f" on {processor()}, "
    others = [each.strip() for each in sections[1:] if here not in " ".join(each.split())]
    new = "\n\n".join([f"<!-- table: {name} -->\n{conditions}", content.strip(), *others]) + "\n<!-- end -->"
    readme.write_text(text[:start] + new + text[end:], encoding="utf-8")


@dataclass(frozen=True)
class Conditions:
    """When, and beside what else, something was measured.

    Attributes:
        started: When it began.
        load: The load average of the last minute before.
        took_s: How long it took by the clock.
        others_cores: How many cores other processes kept busy meanwhile; None where the system does not say.
    """

    started: dt.datetime
    load: float
    took_s: float
    others_cores: float | None


def described(conditions: Conditions, distributions: tuple[str, ...]) -> str:
    """Say in a paragraph when, on what machine and with which versions a table was measured."""
    others = conditions.others_cores
    parts = (
        f"Measured {conditions.started:%Y-%m-%d %H:%M} UTC in {conditions.took_s / 60:.1f} minutes on {machine()}",
        f"load {conditions.load:.1f} before"
        + ("" if others is None else f", others took {others:.2f} cores meanwhile"),
        ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in distributions)]),
    )
    return textwrap.fill("; ".join(parts) + ".", _WIDTH, break_on_hyphens=False)


def machine() -> str:
    """Name the processor, its cores, the memory and the system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def processor() -> str:
    """Name the processor, on Linux with the widest of its instructions: names of virtual ones say little."""
    name = _cpuinfo().get("model name") or platform.processor() or platform.machine()
    flags = processor_flags()
    widest = [shown for flag, shown in _INSTRUCTIONS.items() if flag in flags][:1]
    return f"{name} with {widest[0]}" if widest else name


def processor_flags() -> set[str]:
    """Give the extensions of the processor by Linux's names; none elsewhere."""
    return set(_cpuinfo().get("flags", "").split())


@functools.cache
def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}


def version(distribution: str) -> str:
    """Give the version of an installed distribution, or of a crate of the lock file."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        packages = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
        return next((str(package["version"]) for package in packages if package["name"] == distribution), "unknown")


def busy_s() -> float | None:
    """Give the seconds that all cores together have worked since the start; None where the system does not say."""
    try:
        counters = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, counters[:8])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")
