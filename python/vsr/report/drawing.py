"""From Altair charts to SVG for the page and PNG for Markdown, without network and without a browser.

Charts are drawn when the report is written, not when it is read: a page of static SVG needs no megabyte of script, can
be read with scripts forbidden, and prints. Their colours become custom properties of the page, so that one drawing
serves light and dark, paper and screen.
"""

import re
from html import escape, unescape

import vl_convert

from vsr.report.ink import LIGHT
from vsr.report.sections import Picture

# A chart is drawn twice, for screens and for phones: text in a drawing that is scaled down cannot be read.
WIDE, NARROW = 760, 340
_PNG_SCALE = 1.5

_COLOURS = re.compile("|".join(LIGHT.values()), re.IGNORECASE)
_NAMES = {value.lower(): name for name, value in LIGHT.items()}
_FONT = re.compile(r' font-family="[^"]*"')
_ROLES = re.compile(r' (?:role|aria-roledescription|aria-hidden)="[^"]*"')
_LABELLED = re.compile(r'<(path|text|line)([^>]*?) aria-label="([^"]*)"([^>]*?)(?:/>|>(.*?)</\1>)', re.DOTALL)
_LABEL = re.compile(r' aria-label="[^"]*"')
# Counted over the life of the process: other names in every run.
_CLIP = re.compile(r"\bclip\d+\b")
_NOTHING = re.compile(r'<path class="(?:foreground|background)"[^>]*/>')
_PLACES = re.compile(r' (?:transform|d|x2|y2)="[^"]*"')
_FRACTION = re.compile(r"(\d+\.\d{2})\d+")
_HEAD = re.compile(r"<svg[^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>(?:<rect[^>]*/>)?")


def inline_svg(picture: Picture, width: int, title: str, css_class: str) -> str:
    """Draw a chart as SVG that stands inside a page and takes its colours and its font.

    What a mark says of itself (`description`) becomes its tooltip. To screen readers the whole is one image: the table
    behind it says more than hundreds of marks would.

    Args:
        picture: what to draw.
        width: in pixels.
        title: its name for screen readers.
        css_class: class of the element.
    """
    svg = vl_convert.vegalite_to_svg(picture.specification(width))
    svg = _NOTHING.sub("", svg)
    clips = {
        name: f"{picture.name}-{css_class}-{number}" for number, name in enumerate(dict.fromkeys(_CLIP.findall(svg)))
    }
    svg = _CLIP.sub(lambda found: clips[found[0]], svg)
    svg = _LABELLED.sub(_with_title, svg)
    svg = _LABEL.sub("", _ROLES.sub("", _FONT.sub("", svg)))
    svg = _COLOURS.sub(lambda found: f"var(--{_NAMES[found[0].lower()]})", svg)
    svg = _PLACES.sub(lambda found: _FRACTION.sub(r"\1", found[0]), svg)
    head = _HEAD.match(svg)
    assert head is not None, "vl-convert begins with <svg ... width height>"
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{css_class}" role="img" aria-label="{escape(title)}" '
        f'width="{head[1]}" height="{head[2]}" viewBox="0 0 {head[1]} {head[2]}">'
    )
    return opening + svg[head.end() :]


def png(picture: Picture) -> bytes:
    """Draw a picture as PNG on white, half as large again for sharp screens."""
    return bytes(vl_convert.vegalite_to_png(picture.specification(WIDE), scale=_PNG_SCALE))


def _with_title(found: re.Match[str]) -> str:
    name, before, label, after, inside = found.groups()
    if not label or name == "text":
        return f"<{name}{before}{after}>{inside or ''}</{name}>"
    return f"<{name}{before}{after}><title>{escape(unescape(label))}</title>{inside or ''}</{name}>"
