import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from made_up_report import MODELS, contents
from vsr.report.drawing import NARROW, WIDE, inline_svg, png
from vsr.report.ink import DARK, LIGHT
from vsr.report.pictures.axes import linear_ticks, log_ticks, row_names
from vsr.report.pictures.gains import shown
from vsr.report.pictures.labels import Spot, along, placed
from vsr.report.pictures.tradeoff import frontier
from vsr.report.writing import sections_of

SIZE = 12


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_picture_is_an_svg_of_its_width_in_the_colours_of_the_page(width):
    pictures = [picture for section in sections_of(contents()) for picture in section.pictures]
    assert [picture.name for picture in pictures] == [
        "quality_against_cost",
        "quality_against_latency",
        "gains",
        "shares",
        "learning",
        "calibration",
    ]
    for picture in pictures:
        svg = inline_svg(picture, width, picture.name, "wide")
        drawn = float(svg.split('width="')[1].split('"')[0])
        assert drawn <= width + 1, picture.name
        assert 'role="img"' in svg
        # A colour of its own would stay light in the dark.
        assert set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+)"', svg)) == set(), picture.name
        assert "var(--accent)" in svg


def test_every_picture_is_what_altair_takes_for_one():
    for section in sections_of(contents()):
        for picture in section.pictures:
            # The report leaves Altair's checks out, for speed: `to_dict` does them.
            assert picture.draw(WIDE).to_dict() == picture.specification(WIDE)


def test_every_colour_occurs_once_and_has_its_counterpart():
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert set(DARK) == set(LIGHT)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_and_marks_stand_out_from_the_paper(palette):
    for name, least in (("ink", 7.0), ("muted", 4.5), ("accent", 4.5), ("mark", 3.0)):
        assert _contrast(palette[name], palette["paper"]) >= least, name


def test_names_of_models_are_text_and_never_markup():
    section = sections_of(contents())[0]
    svg = inline_svg(section.pictures[0], WIDE, "name", "wide")
    assert "&lt;b&gt;bold&lt;/b&gt;" in svg
    assert "<b>" not in svg


def test_labels_of_an_axis_are_the_amounts_of_money():
    svg = inline_svg(sections_of(contents())[0].pictures[0], WIDE, "name", "wide")
    assert ">$0.2<" in svg
    assert ">$1<" in svg


def test_a_png_is_one():
    assert png(sections_of(contents())[2].pictures[0]).startswith(b"\x89PNG")


def test_gains_come_sorted_and_without_the_oracle():
    methods = shown(contents().evaluation)
    means = [method.gain.mean for method in methods if method.gain is not None]
    assert means == sorted(means, reverse=True)
    assert "oracle" not in {method.name for method in methods}
    assert any(method.is_identical for method in methods)


def test_the_frontier_is_of_models_that_none_beats():
    curve = contents().evaluation.curve
    assert curve is not None
    assert frontier(curve, "cost") == [MODELS[6], MODELS[3], MODELS[2], MODELS[5], MODELS[0]]
    dear = replace(curve.singles[MODELS[0]], cost_usd=1.0, quality=0.1)
    assert MODELS[0] not in frontier(replace(curve, singles=curve.singles | {MODELS[0]: dear}), "cost")


def test_hopeless_models_are_named_below_the_picture_instead_of_pressing_it_together():
    whole = contents()
    curve = whole.evaluation.curve
    assert curve is not None
    assert "below the picture" not in sections_of(whole)[0].pictures[0].look
    singles = curve.singles | {"hopeless": replace(curve.singles[MODELS[1]], quality=0.02)}
    evaluation = replace(whole.evaluation, curve=replace(curve, singles=singles))
    section = sections_of(replace(whole, evaluation=evaluation))[0]
    assert section.pictures[0].look.endswith(" hopeless lies below the picture.")
    assert "hopeless" not in str(section.pictures[0].specification(WIDE))
    assert section.table is not None
    assert any(row[0] == "hopeless" for row in section.table.rows)


def test_without_costs_the_curve_is_drawn_against_latency_and_without_either_not_at_all():
    section = sections_of(contents(costs=False))[0]
    assert [picture.name for picture in section.pictures] == ["quality_against_latency"]
    assert sections_of(contents(costs=False, latency=False))[0].key == "gains"


def test_names_cover_neither_points_nor_each_other():
    spots = [Spot(f"model-{number}", 100.0 + 13.0 * number, 100.0 + 9.0 * (number % 3)) for number in range(12)]
    labels = placed(spots, [], 600.0, 300.0, SIZE, 30)
    assert 4 <= len(labels) <= len(spots)
    boxes = [_box(label, next(spot for spot in spots if spot.text == label.name)) for label in labels]
    for number, box in enumerate(boxes):
        assert all(not _overlap(box, other) for other in boxes[number + 1 :])
        assert all(not (box[0] < spot.x < box[2] and box[1] < spot.y < box[3]) for spot in spots)


def test_one_name_is_always_written():
    crowd = [Spot("", 10.0 * x, 10.0 * y) for x in range(40) for y in range(20)]
    assert placed([Spot("named", 200.0, 100.0)], crowd, 400.0, 200.0, SIZE, 30) == ()
    (label,) = placed([Spot("named", 200.0, 100.0)], crowd, 400.0, 200.0, SIZE, 30, always="named")
    assert label.text == "named"


def test_points_along_a_line_leave_no_room_for_a_name():
    spots = along([Spot("", 0.0, 0.0), Spot("", 100.0, 0.0), Spot("", 100.0, 40.0)])
    assert max(math.dist((a.x, a.y), (b.x, b.y)) for a, b in pairwise(spots)) <= 6.0


def test_long_names_are_cut_and_stay_different():
    names, axis = row_names(["an-endlessly-long-name-" + "x" * 80 + end for end in "ab"] + ["short"], NARROW)
    assert len(set(names)) == 3
    assert names[2] == "short"
    assert all(len(name) < 40 for name in names)
    assert axis.minExtent < NARROW / 2


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.43, 0.66), (1e-5, 3e-5), (0.0, 4000.0)])
def test_linear_ticks_are_round_and_inside(low, high):
    ticks = linear_ticks(low, high, 5)
    assert 3 <= len(ticks) <= 7
    assert all(low <= tick <= high for tick in ticks)
    assert all(len(f"{tick:g}") <= 7 for tick in ticks)


@pytest.mark.parametrize(("low", "high"), [(4e-5, 0.004), (0.9, 20.0), (1e-7, 10.0)])
def test_logarithmic_ticks_are_round_inside_and_few(low, high):
    ticks = log_ticks(low, high, 9)
    assert 2 <= len(ticks) <= 9
    assert all(low <= tick <= high for tick in ticks)
    assert {f"{tick:e}"[0] for tick in ticks} <= {"1", "2", "3", "5"}


def _box(label, spot):
    long = len(label.text) * SIZE * 0.5
    left = {"left": 0.0, "right": -long, "center": -long / 2.0}[label.align] + spot.x + label.dx
    return left, spot.y + label.dy - SIZE / 2, left + long, spot.y + label.dy + SIZE / 2


def _overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _contrast(one, other):
    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
