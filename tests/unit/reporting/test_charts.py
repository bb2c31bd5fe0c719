"""Charts: what they show is what they were given, and they are the same bytes every time."""

import datetime as dt
import math
import re
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from kcb_pipeline.config import Matching
from kcb_pipeline.matching import link
from kcb_pipeline.matching.comparisons import Date, Exact
from kcb_pipeline.matching.linkage import orphaned_share
from kcb_pipeline.matching.potential import best_weights
from kcb_pipeline.matching.registers import register_settings
from kcb_pipeline.matching.settings import Settings, block_on
from kcb_pipeline.reporting import charts, linkage_words, svg
from kcb_pipeline.reporting.charts import Level, Mark, Panel, Rule, Step

NS = "{http://www.w3.org/2000/svg}"

STEPS = (
    Step("先验", "", -12.5),
    Step("姓名", "同音 <&>", 9.25),
    Step("出生日期", "相同", 11.0),
    Step("他人相像", "", -2.75),
)
DRAWN = {
    "weights": lambda: charts.weight_distribution(
        (Panel("认定", "linked", (("键", svg.DEEP, {20: 2, 31: 1}), ("权重", svg.BLUE, {9: 1}))), Panel("待核", "in doubt", (("待核", svg.AMBER, {}),))),
        (Mark(8.0, "最低认定", svg.TEAL),),
    ),
    "levels": lambda: charts.levels_chart([Level("姓名", "相同", "equal", 0.9, 0.001), Level("姓名", "不同", "different", 0.1, 0.999)]),
    "waterfall": lambda: charts.waterfall(STEPS, decision="认定", probability=0.97, threshold=4.0),
    "blocking": lambda: charts.blocking_gains([Rule("姓名、出生日期", 97, 97), Rule("名、出生日期", 120, 12, 4000)]),
    "unlinkables": lambda: charts.unlinkables({"人口": [1.0, 12.0, 12.0, 20.0], "学籍": [20.0, 20.0]}, 5.6),
    "nothing": lambda: charts.weight_distribution((Panel("认定", "linked", (("键", svg.DEEP, {}),)),), ()),
    "no records": lambda: charts.unlinkables({"人口": []}, 5.6),
    "no rules": lambda: charts.blocking_gains([]),
}  # fmt: skip


def drawn(name):
    return ET.fromstring(DRAWN[name]())


def words(chart):
    return [element.text or "" for element in chart.iter(f"{NS}text")]


def tips(chart):
    return [element.text or "" for element in chart.iter(f"{NS}title")]


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_a_whole_document_with_a_chinese_title_and_nothing_that_runs(name):
    chart = drawn(name)
    text = DRAWN[name]()

    assert chart.tag == f"{NS}svg"
    assert re.search("[\u4e00-\u9fff]", words(chart)[0])
    assert re.search("[A-Za-z]", words(chart)[1])
    assert chart.get("aria-label").startswith(words(chart)[0])
    assert not re.search(r"<script|\bon\w+=|href", text)
    assert "nan" not in text
    assert "inf" not in text.replace("info", "")


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_numbers_give_the_same_bytes(name):
    assert DRAWN[name]() == DRAWN[name]()


@pytest.mark.parametrize("name", DRAWN)
def test_every_mark_is_on_the_sheet(name):
    chart = drawn(name)
    width, height = float(chart.get("width")), float(chart.get("height"))

    for element in chart.iter(f"{NS}rect"):
        x, y, w, h = (float(element.get(key)) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 0.01
        assert 0 <= y <= y + h <= height + 0.01


def test_every_pair_is_counted_in_the_distribution():
    chart = drawn("weights")

    assert "4" in words(chart)
    assert sorted(int(tip.rsplit(": ", 1)[1]) for tip in tips(chart)) == [1, 1, 2]
    assert [tip for tip in tips(chart) if tip.endswith(": 2")] == ["键 20…21: 2"]


def test_weights_far_below_are_counted_in_the_first_column():
    chart = ET.fromstring(
        charts.weight_distribution((Panel("未采用", "x", (("候选", svg.GREY, {-90: 1, -77: 1, 3: 1}),)),), ())
    )

    assert "≤ -40" in words(chart)
    assert "候选 -40…-39: 2" in tips(chart)


def test_the_waterfall_adds_up():
    """Each bar begins where the last one ended, and the sum's bar ends where the last comparison's did."""
    chart = drawn("waterfall")
    bars = [(float(r.get("x")), float(r.get("width"))) for r in chart.iter(f"{NS}rect")][1:]
    ends = [0.0]
    for step in STEPS:
        ends.append(ends[-1] + step.weight)
    scale = bars[0][1] / abs(STEPS[0].weight)
    zero = bars[0][0] + bars[0][1]

    for (x, width), begin, end in zip(bars, ends, ends[1:], strict=False):
        assert x == pytest.approx(zero + min(begin, end) * scale, abs=0.05)
        assert width == pytest.approx(abs(end - begin) * scale, abs=0.05)
    assert bars[-1] == pytest.approx((zero, ends[-1] * scale), abs=0.05)
    assert "5.0" in words(chart)


def test_a_level_shows_its_m_u_and_weight():
    chart = drawn("levels")

    assert f"{math.log2(900):+.1f}" in words(chart)
    assert f"{math.log2(0.1 / 0.999):+.1f}" in words(chart)
    m, u = (
        [float(c.get("cx")) for c in chart.iter(f"{NS}circle") if c.get("fill") == fill]
        for fill in (svg.DEEP, svg.AMBER)
    )
    assert m[0] > u[0]
    assert m[1] < u[1]


def test_blocking_shows_gains_and_what_was_too_large():
    chart = drawn("blocking")

    assert "120 · +12" in words(chart)
    assert any("4,000" in each for each in words(chart))
    assert any("109" in each for each in words(chart)), "the total of new pairs"


def test_unlinkables_are_counted_below_the_threshold():
    assert any("1 / 4（25.00%）" in each for each in words(drawn("unlinkables")))
    assert any("0 / 2（0.00%）" in each for each in words(drawn("unlinkables")))


def test_every_level_rule_and_comparison_of_the_registers_has_chinese_words():
    settings = register_settings(dt.date(2026, 11, 18), Matching())

    for comparison in settings.comparisons:
        assert comparison.name in linkage_words.COMPARISONS
        assert len(linkage_words.LEVELS[comparison.name]) == len(comparison.labels), comparison.name
    assert [rule.name for rule in settings.blocking if rule.name not in linkage_words.RULES] == []


def test_what_a_record_could_weigh_is_its_weight_against_itself():
    people = pl.DataFrame(
        {
            "name": [f"n{n % 40}" for n in range(200)],
            "birth_date": [dt.date(2015, 1, 1) + dt.timedelta(days=n) for n in range(200)],
        }
    )
    settings = Settings((Exact("name"), Date("birth_date")), (block_on("name"), block_on("birth_date")))
    result = link(people, people, settings)
    own = result.linked.filter(pl.col("left_row") == pl.col("right_row"))

    orphaned = orphaned_share(settings, result.model, people.height, people.height)
    best, nameless = (
        best_weights(records, settings, result.model, orphaned=orphaned)
        for records in (people, people.with_columns(pl.lit(None, dtype=pl.String).alias("name")))
    )

    assert own.height == 200
    assert best == pytest.approx(own["match_weight"].to_numpy(), abs=1e-9)
    assert (nameless < best).all()
