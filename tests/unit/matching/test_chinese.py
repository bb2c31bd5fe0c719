"""Chinese identities: each level by pairs such as registers hold (all made up), and by the pairs that just miss it.

How two spellings of one person come to differ is in domain.md §4; what rivals do with them in linkage.md §2b.
"""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.identity.names import NameTable, plain_key
from kcb_pipeline.matching.chinese import (
    HOMOPHONE,
    ChineseIdNumber,
    ChineseName,
    Guardians,
    Place,
    _Names,
    name_levels,
)

# -- names ---------------------------------------------------------------------------------------------------------

NAME = ChineseName("name")

NAMES = {
    "equal": ["王小明 王小明", "买买提·艾力 买买提•艾力", "买买提·艾力 买买提艾力", "ＷＡＮＧ wang", "王\u3000芳 王芳", "王\ue81e 王\u9fb4"],
    "variant form": ["刘宁 劉甯", "张昇 张升", "陈国栋 陳國棟", "苏甦 苏苏", "李杰 李傑", "于洋 於洋"],
    "homophone": ["张伟 张玮", "单小明 山小明", "仇强 求强", "王小名 王晓明", "陈静 陈婧", "张伟 章玮", "欧阳兰 欧阳岚", "阿布都热合曼 阿不都热合曼"],
    "placeholder": ["张□ 张䶮", "张? 张䶮", "张jie 张杰", "zhangjie 张杰", "张三＊ 张三丰", "欧阳□ 欧阳靖"],
    "reordered": ["吉克阿牛 阿牛吉克", "阿苏木呷 木呷阿苏", "王明 明王", "王小明 王明小"],
    "look-alike": ["王晴 王睛", "王日 王曰", "赵末 赵未", "日 曰", "杨析 杨折", "赵己未 赵巳未"],
    "near homophone": [
        *("多吉 多杰", "扎西才让 扎喜才仁", "刘洋 牛洋", "张三 章山", "陈英 陈音", "李兰兰 李南南", "王城 王岑"),
        *("四郎泽仁 索朗次仁", "才让 泽仁", "扎西平措 札西彭措", "次仁卓玛 才让志瑪"),
    ],
    "lost or added": ["王小明 王明", "王小明 王小", "买买提·艾力 买买提", "古丽巴哈尔 古丽巴哈", "欧阳明 欧明", "旦增罗布 旦增罗"],
    "surname differs": ["王小明 李小明", "吴红 胡红", "黄河 王河", "买买提江 努买提江"],
    "one character differs": ["王小明 王小红", "王建国 王爱国", "扎西次仁 扎西平仁", "欧阳明 欧阳红"],
    "surname only": ["李娜 李妮", "王小明 王大红", "张伟 张小军", "张□ 张"],
    "different": ["王小明 李大红", "王 李", "□□ 张杰", "张? 李杰", "史密斯 smith", "买买提 阿依古丽"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("level", "pair"), [(level, pair) for level, pairs in NAMES.items() for pair in pairs], ids=lambda value: value
)
def test_a_pair_of_names_is_at_the_level_that_says_how_it_came_to_differ(level_of, level, pair):
    left, right = pair.split(" ")

    assert level_of(NAME, {"name": left}, {"name": right}) == level


@pytest.mark.parametrize(
    ("comparison", "value", "another"),
    [
        (ChineseName("guardian"), "王小明", "李大红"),
        (ChineseIdNumber("passport"), "11010120150307783", "51010120110307281"),
    ],
    ids=["name", "number"],
)
def test_the_column_compared_is_that_of_the_comparisons_name_unless_another_is_named(
    level_of, citizen_number, comparison, value, another
):
    child = {"name": "张伟", "former_name": another, "id_number": citizen_number("11010120150307791")}
    written = citizen_number if value.isdigit() else str
    left, right = ({comparison.name: written(said)} | child for said in (value, another))

    assert level_of(comparison, left, left) == "equal"
    assert level_of(comparison, left, right) in ("different", "both valid, different")
    assert comparison.needs == (comparison.name,)


def test_every_level_of_names_has_two_examples_or_more():
    assert {level for level in NAME.labels if len(NAMES.get(level, ())) < 2} == {"former name"}  # its own tests follow


JUST_OUTSIDE = [
    ("李升 李生", "variant form", "homophone"),  # 升 and 昇 are one character to their bearer, 生 is another one
    ("张杰 张节", "variant form", "homophone"),
    ("张伟 张武", "homophone", "surname only"),
    ("单小明 丹小明", "homophone", "surname differs"),  # dan is a reading of 单, but no surname's
    ("曾强 层强", "homophone", "surname differs"),  # ceng is a reading of 曾 too; the surname is zeng
    ("解放 姐放", "homophone", "surname differs"),
    ("张□明 张□", "placeholder", "lost or added"),  # one place each, no more
    ("张jie 张宝", "placeholder", "surname only"),
    ("张□ 李杰", "placeholder", "different"),
    ("□□ 张杰", "placeholder", "different"),  # all placeholders: whose it is, it does not say
    ("□ 张", "placeholder", "different"),
    ("□□ □杰", "placeholder", "surname only"),
    ("张□ 李□", "surname differs", "different"),
    ("吉克阿牛 阿牛吉", "reordered", "different"),
    ("吉克阿牛 阿牛吉且", "reordered", "different"),
    ("王晴 王青", "look-alike", "homophone"),
    ("王晴 王明", "look-alike", "surname only"),
    ("王晴晴 王睛睛", "look-alike", "surname only"),  # one glyph mistaken, not two
    ("多吉 多布", "near homophone", "surname only"),
    ("张章 李章", "near homophone", "surname differs"),
    ("李格桑 李尕让", "near homophone", "surname only"),  # a name of Tibetan words has no surname
    ("四郎泽仁 索朗平措", "near homophone", "different"),  # one word of two
    ("王小明 王", "lost or added", "surname only"),  # two of three lost leave nothing to go by
    ("王小明 小", "lost or added", "different"),
    ("王小明明 王明", "lost or added", "surname only"),
    ("买买提艾力 艾力", "lost or added", "different"),  # the end alone is a father's name
    ("王小明 李大明", "surname differs", "different"),
    ("王明 李明明", "surname differs", "different"),
    ("王明 王红", "one character differs", "surname only"),  # of two characters one is the surname
    ("王小明 王大红", "one character differs", "surname only"),
]  # fmt: skip


@pytest.mark.parametrize(("pair", "missed", "level"), JUST_OUTSIDE, ids=[pair for pair, _, _ in JUST_OUTSIDE])
def test_a_pair_that_just_misses_a_level_is_not_at_it(level_of, pair, missed, level):
    left, right = pair.split(" ")
    found = level_of(NAME, {"name": left}, {"name": right})

    assert found != missed
    assert found == level


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        ({"name": "李思雨", "former_name": "李招娣"}, {"name": "李招娣"}, "former name"),
        ({"name": "劉思雨", "former_name": "劉招娣"}, {"name": "刘招娣"}, "former name"),
        ({"name": "古丽", "former_name": "阿依·古丽"}, {"name": "阿依古丽"}, "former name"),
        ({"name": "李思雨", "former_name": "李招弟"}, {"name": "李招娣"}, "surname only"),  # a former name must be the same
        ({"name": "李思雨", "former_name": "李招娣"}, {"name": "李来娣"}, "surname only"),
        ({"name": "李思雨", "former_name": "李招娣"}, {"name": "张大山", "former_name": "李招娣"}, "different"),
        ({"name": "刘思雨", "former_name": "李招娣"}, {"name": "劉思雨"}, "variant form"),  # the name itself says more
        ({"name": "李思雨", "former_name": ""}, {"name": "李招娣", "former_name": " "}, "surname only"),
    ],
)  # fmt: skip
def test_a_former_name_on_one_side_is_the_name_on_the_other(level_of, left, right, level):
    assert level_of(NAME, left, right) == level


def test_a_former_name_is_found_for_the_right_pairs_among_many(levels_of):
    pairs = [
        ({"name": "李思雨", "former_name": "李招娣"}, {"name": "李招娣"}),
        ({"name": "李思雨"}, {"name": "李招娣"}),
        ({"name": "李思雨"}, {"name": "李思雨"}),
        ({"name": "张大山"}, {"name": "张小军", "former_name": "张大山"}),
    ]

    assert [NAME.labels[level] for level in levels_of(NAME, pairs * 30)] == [
        "former name", "surname only", "equal", "former name",
    ] * 30  # fmt: skip


@pytest.mark.parametrize("nothing", [None, "", " ", "·", "\u3000"])
def test_a_missing_name_is_no_evidence(level_of, nothing):
    assert level_of(NAME, {"name": nothing}, {"name": "王小明"}) == "missing"
    assert level_of(NAME, {"name": nothing}, {"name": None}) == "missing"


def test_names_are_compared_by_character_and_not_by_byte(level_of):
    # linkage.md §0.3: 王小明 and 王小红 are three bytes apart in DuckDB and one character in the world
    assert level_of(NAME, {"name": "王小明"}, {"name": "王小红"}) == "one character differs"
    assert level_of(NAME, {"name": "王𠂇明"}, {"name": "王小明"}) == "one character differs"


COMMON = "王李张章刘牛单山小晓明名鸣伟玮晴睛杰洁吉日曰"
PIECES = st.one_of(
    st.sampled_from([*COMMON]),
    st.sampled_from([*COMMON, "劉", "甯", "□", "?", "䶮", "JIE", "ZHANG", "A", "SMITH", "买", "麦", "提", "艾", "力", "古", "丽", "阿", "牛", "吉", "克"]),
    st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
)  # fmt: skip
PLAIN = st.lists(PIECES, min_size=1, max_size=6).map("".join)


@st.composite
def name_pairs(draw):
    """Two names of which the second is often the first, damaged."""
    left = draw(st.lists(PIECES, min_size=1, max_size=6))
    kind = draw(
        st.sampled_from(["another", "one changed", "one lost", "one added", "turned", "surname changed", "same"])
    )
    place = draw(st.integers(0, len(left) - 1))
    right = {
        "another": lambda: draw(st.lists(PIECES, min_size=1, max_size=6)),
        "one changed": lambda: [*left[:place], draw(PIECES), *left[place + 1 :]],
        "one lost": lambda: [*left[:place], *left[place + 1 :]] or left,
        "one added": lambda: [*left[:place], draw(PIECES), *left[place:]],
        "turned": lambda: [*left[place:], *left[:place]],
        "surname changed": lambda: [draw(PIECES), *left[1:]],
        "same": lambda: left,
    }[kind]()
    return "".join(left), "".join(right)


def series(names):
    return plain_key(pl.Series(list(names), dtype=pl.String))


@settings(max_examples=30)
@given(st.lists(name_pairs(), min_size=1, max_size=30))
def test_the_level_of_two_names_is_the_same_both_ways_round(pairs):
    lefts, rights = (series(names) for names in zip(*pairs, strict=True))

    assert name_levels(lefts, rights).tolist() == name_levels(rights, lefts).tolist()


@settings(max_examples=15)
@given(st.lists(name_pairs(), min_size=2, max_size=8))
def test_the_level_of_a_pair_does_not_depend_on_the_names_beside_it(pairs):
    lefts, rights = (series(names) for names in zip(*pairs, strict=True))
    alone = [int(name_levels(lefts[place : place + 1], rights[place : place + 1])[0]) for place in range(len(pairs))]

    assert name_levels(lefts, rights).tolist() == alone


def levels_without_the_short_way(left, right):
    distinct = pl.concat([left, right]).unique().sort()
    place = {name: number for number, name in enumerate(distinct)}
    a, b = (np.array([place[name] for name in names], dtype=np.int64) for names in (left, right))
    return _Names(NameTable.of(distinct), a, b).levels()


@settings(max_examples=60)
@given(st.lists(name_pairs(), min_size=1, max_size=30))
def test_sorting_out_strangers_first_changes_no_level(pairs):
    lefts, rights = (series(names) for names in zip(*pairs, strict=True))

    assert name_levels(lefts, rights).tolist() == levels_without_the_short_way(lefts, rights).tolist()


@pytest.mark.parametrize("width", [1, 2])
def test_sorting_out_strangers_first_changes_no_level_of_very_short_names(width):
    short = (
        [*COMMON, "□", "劉"]
        if width == 1
        else [*COMMON, *(f"王{c}" for c in COMMON), *(f"{c}明" for c in COMMON), "张□"]
    )
    names = series(short)
    lefts, rights = names.gather(np.repeat(np.arange(len(names)), len(names))), pl.concat([names] * len(names))

    assert name_levels(lefts, rights).tolist() == levels_without_the_short_way(lefts, rights).tolist()


def test_a_missing_name_put_in_as_an_empty_text_is_like_no_other():
    lefts, rights = (pl.Series(names, dtype=pl.String) for names in (["", "王明"], ["王明", ""]))

    assert [NAME.labels[level] for level in name_levels(lefts, rights)] == ["different"] * 2
    assert len(name_levels(lefts[:0], rights[:0])) == 0


def test_many_pairs_are_compared_as_few_are():
    lefts, rights = series(["张伟", "王明", "李娜"] * 30_000), series(["张玮", "李明", "赵红"] * 30_000)

    assert name_levels(lefts, rights).reshape(-1, 3).tolist() == [[HOMOPHONE, 9, 12]] * 30_000


@pytest.mark.parametrize(
    ("key", "alike", "other"),
    [
        ("folded", ("劉甯", "刘宁"), "刘明"),
        ("pinyin", ("张伟", "章玮"), "张武"),
        ("sorted", ("吉克阿牛", "阿牛吉克"), "吉克阿木"),
        ("given", ("王小明", "李小明"), "李小红"),
    ],
)
def test_blocking_keys_of_names_are_equal_where_names_share_that_much(key, alike, other):
    records = pl.DataFrame({"name": [*alike, other, None]})
    keys = pl.DataFrame(NAME.keys(pl.DataFrame(NAME.prepare(records))))[f"name.{key}"].to_list()

    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert keys[3] is None


# -- ID numbers ----------------------------------------------------------------------------------------------------

ID = ChineseIdNumber(
    "id_number", student_number="student_number", family=("father", "mother"), on=dt.date(2026, 11, 20)
)
A, B = "53312320150312001", "53312320150312422"


def swapped(number, place):
    return number[:place] + number[place + 1] + number[place] + number[place + 2 :]


def digit_wrong(number, *places):
    for place in places:
        number = number[:place] + str((int(number[place]) + 3) % 10) + number[place + 1 :]
    return number


def shortened(number):
    return number[:6] + number[8:17]


def wrong_check(number):
    return number[:17] + ("0" if number[17] != "0" else "1")


ID_PAIRS = [
    ("equal", "as it is", lambda a, b: (a, a)),
    ("equal", "as people type it", lambda a, b: (f"'{a[:6]} {a[6:14]} {a[14:].lower()}", a)),
    ("equal", "in full width", lambda a, b: ("".join(chr(ord(c) + 0xFEE0) for c in a), a)),
    ("equal, check digit wrong", "one error copied", lambda a, b: (digit_wrong(a, 9), digit_wrong(a, 9))),
    ("equal, check digit wrong", "15 digits", lambda a, b: (shortened(a), shortened(a))),
    ("one slip", "a digit wrong", lambda a, b: (a, digit_wrong(a, 12))),
    ("one slip", "the check digit wrong", lambda a, b: (a, wrong_check(a))),
    ("one slip", "neighbours swapped", lambda a, b: (a, swapped(a, 7))),
    ("one slip", "a character lost", lambda a, b: (a, a[:11] + a[12:])),
    ("one slip", "a character added", lambda a, b: (a, a[:11] + "9" + a[11:])),
    ("one slip", "15 digits of 1999 and before", lambda a, b: (a, shortened(a))),
    ("two slips", "two digits wrong", lambda a, b: (a, digit_wrong(a, 3, 15))),
    ("two slips", "a digit wrong and one lost", lambda a, b: (a, digit_wrong(a, 4)[:-3] + a[-2:])),
    ("two slips", "15 digits and one wrong beside", lambda a, b: (a, digit_wrong(shortened(a), 1, 4))),
    ("both valid, different", "two children of one day", lambda a, b: (a, b)),
    ("both valid, different", "twins", lambda a, b: (a, made_other(a))),
    ("different", "three digits wrong", lambda a, b: (a, digit_wrong(a, 1, 8, 15))),
    ("different", "no number at all", lambda a, b: (a, "无")),
    ("missing", "not given", lambda a, b: (a, None)),
    ("missing", "blank", lambda a, b: (" ", a)),
    ("missing", "neither", lambda a, b: (None, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("level", "make"), [(level, make) for level, _, make in ID_PAIRS], ids=[f"{lv}: {how}" for lv, how, _ in ID_PAIRS]
)
def test_a_pair_of_numbers_is_at_the_level_that_says_how_it_came_to_differ(level_of, citizen_number, level, make):
    left, right = make(citizen_number(A), citizen_number(B))

    assert level_of(ID, {"id_number": left}, {"id_number": right}) == level


@pytest.mark.parametrize("place", range(17))
def test_a_valid_number_with_a_digit_less_or_more_is_another_persons_and_no_slip(level_of, citizen_number, place):
    # MOD 11-2 catches every single wrong digit: two valid numbers never differ by one (linkage.md §0.4).
    other = A[:place] + str((int(A[place]) + 1) % 10) + A[place + 1 :]
    left, right = citizen_number(A), citizen_number(other)
    found = level_of(ID, {"id_number": left}, {"id_number": right})

    is_date_and_province = place > 5 or place < 2
    assert found == "both valid, different" or (is_date_and_province and found == "two slips")


G_NUMBERS = [
    ("by G number", "the former number follows the G", lambda a, b: ({"id_number": a}, {"id_number": b, "student_number": "G" + a})),
    ("by G number", "the registry has no number but the G", lambda a, b: ({"id_number": a}, {"student_number": "G" + a})),
    ("equal", "number and G number agree", lambda a, b: ({"id_number": a}, {"id_number": a, "student_number": "G" + a})),
    ("both valid, different", "another child's G number", lambda a, b: ({"id_number": a}, {"id_number": b, "student_number": "G" + b})),
    ("both valid, different", "an L number looks like one and is none", lambda a, b: ({"id_number": a}, {"id_number": b, "student_number": "L" + a})),
    ("both valid, different", "a J number looks like one and is none", lambda a, b: ({"id_number": a}, {"id_number": b, "student_number": "J" + a})),
    ("missing", "an L number is no number", lambda a, b: ({"id_number": a}, {"student_number": "L" + a})),
    ("missing", "two G numbers agree, but numbers are missing", lambda a, b: ({"student_number": "G" + a}, {"student_number": "G" + a})),
    ("missing", "a G with something else behind", lambda a, b: ({"id_number": a}, {"student_number": "G" + a[:-1]})),
]  # fmt: skip


@pytest.mark.parametrize(("level", "_how", "make"), G_NUMBERS, ids=[how for _, how, _ in G_NUMBERS])
def test_a_number_after_g_is_a_second_number(level_of, citizen_number, level, _how, make):
    assert level_of(ID, *make(citizen_number(A), citizen_number(B))) == level


FATHER = "53312319850706111"
FAMILY = [
    ("of the family", "the father's number in the child's place", lambda a, f: ({"id_number": a, "father": f}, {"id_number": f})),
    ("of the family", "the mother's", lambda a, f: ({"id_number": a, "mother": f}, {"id_number": f})),
    ("missing", "a parent's by the child's own record: the child has none", lambda a, f: ({"id_number": a}, {"id_number": f, "father": f})),
    ("of the family", "both records know the parent", lambda a, f: ({"id_number": a, "father": f}, {"id_number": f, "father": f})),
    ("by G number", "a parent's, and the child's own after a G", lambda a, f: ({"id_number": a}, {"id_number": f, "father": f, "student_number": "G" + a})),
    ("equal", "the same number is the same number, a father's too", lambda a, f: ({"id_number": f, "father": f}, {"id_number": f, "father": f})),
    ("both valid, different", "a number of nobody's father", lambda a, f: ({"id_number": a}, {"id_number": f})),
    ("both valid, different", "both have the father, who is not in the child's place", lambda a, f: ({"id_number": a, "father": f}, {"id_number": made_other(a), "father": f})),
    ("different", "a father's number damaged", lambda a, f: ({"id_number": a, "father": f}, {"id_number": digit_wrong(f, 14)})),
    ("missing", "no number, and a father", lambda a, f: ({"id_number": a, "father": f}, {"father": f})),
]  # fmt: skip


def made_other(number):
    from kcb_pipeline.identity.id_number import check_digit

    first17 = number[:14] + f"{(int(number[14:17]) + 421) % 1000:03}"
    return first17 + check_digit(first17)


@pytest.mark.parametrize(("level", "_how", "make"), FAMILY, ids=[how for _, how, _ in FAMILY])
def test_a_number_of_the_family_says_whose_child_it_is_and_no_more(level_of, citizen_number, level, _how, make):
    assert level_of(ID, *make(citizen_number(A), citizen_number(FATHER))) == level


def test_every_level_of_id_numbers_has_examples():
    shown = [level for level, _, _ in (*ID_PAIRS, *G_NUMBERS, *FAMILY)]

    assert {level for level in ID.labels if shown.count(level) < 2} == set()


def test_a_number_is_valid_on_the_day_and_not_before_its_bearer_is_born(level_of, citizen_number):
    born_later = citizen_number("53312320261121001")
    pair = ({"id_number": born_later}, {"id_number": born_later})

    assert level_of(ID, *pair) == "equal, check digit wrong"
    assert level_of(ChineseIdNumber("id_number", on=dt.date(2026, 11, 21)), *pair) == "equal"


NUMBERS = st.tuples(
    st.sampled_from(["533123", "110105", "000000"]),
    st.sampled_from(["20150312", "20150321", "20161130", "20151332"]),
    st.integers(0, 12).map(lambda n: f"{n:03}"),
).map("".join)
DAMAGES = st.sampled_from(
    [lambda n: n, lambda n: n, wrong_check, shortened, lambda n: n[1:], lambda n: swapped(n, 12), lambda n: None, lambda n: digit_wrong(n, 2, 5)]
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, DAMAGES, DAMAGES), min_size=1, max_size=8), st.data())
def test_the_level_of_two_numbers_is_the_same_both_ways_round(levels_of, citizen_number, drawn, data):
    pairs = []
    for a, b, c, d, harm, hurt in drawn:
        a, b, c, d = map(citizen_number, (a, b, c, d))
        sides = ({"id_number": harm(a), "student_number": "G" + d, "father": c}, {"id_number": hurt(b), "father": d})
        pairs.append(sides if data.draw(st.booleans()) else sides[::-1])

    assert levels_of(ID, pairs).tolist() == levels_of(ID, [(b, a) for a, b in pairs]).tolist()


def slips(number):
    """Every slip with the places it touches."""
    yield from (((place,), digit_wrong(number, place)) for place in range(17))
    yield from (
        ((place, place + 1), swapped(number, place)) for place in range(16) if number[place] != number[place + 1]
    )
    yield from (((place,), number[:place] + number[place + 1 :]) for place in range(18))


def test_one_slip_outside_of_month_and_day_leaves_one_of_the_two_blocking_keys_whole(citizen_number):
    number = citizen_number("53142820151907365")
    places, numbers = zip(*slips(number), strict=True)
    keys = pl.DataFrame(ID.keys(pl.DataFrame(ID.prepare(pl.DataFrame({"id_number": [number, *numbers]})))))
    head, tail = (
        (keys[f"id_number.{part}"] == keys[f"id_number.{part}"][0]).to_list()[1:] for part in ("head", "tail")
    )

    broken = [where for where, a, b in zip(places, head, tail, strict=True) if not a and not b]
    assert {place for where in broken for place in where} <= set(range(9, 15))
    assert all({10, 11, 12, 13} & {*where} for where in broken)
    assert not any(a and b for a, b in zip(head, tail, strict=True))


def test_numbers_of_other_lengths_have_no_blocking_keys():
    keys = ID.keys(pl.DataFrame(ID.prepare(pl.DataFrame({"id_number": ["533123150312001", "无", None]}))))

    assert [key.null_count() for key in keys] == [3, 3]


# -- guardians -----------------------------------------------------------------------------------------------------

FAMILY_OF = Guardians("guardians", ids=("id_a", "id_b"), phones=("phone_a", "phone_b"), names=("name_a", "name_b", "name_c"))  # fmt: skip

GUARDIANS = [
    ("number or phone shared", {"id_a": "F1"}, {"id_b": "F1", "name_a": "王大山"}),
    ("number or phone shared", {"phone_a": "13800000001", "name_a": "王大山"}, {"phone_b": "13800000001", "name_a": "李芳"}),
    ("number or phone shared", {"id_a": "F1", "id_b": "M1"}, {"id_a": "M1"}),
    ("two names shared", {"name_a": "王大山", "name_b": "李芳"}, {"name_a": "李芳", "name_b": "王大山"}),
    ("two names shared", {"name_a": "王大山", "name_b": "李芳", "name_c": "王大山"}, {"name_b": "李芳", "name_c": "王大山"}),
    ("two names shared", {"id_a": "F1", "name_a": "买买提·艾力", "name_b": "阿依古丽"}, {"id_a": "F2", "name_a": "阿依古丽", "name_b": "买买提 艾力"}),
    ("one name shared", {"name_a": "王大山", "name_b": "李芳"}, {"name_a": "王大山", "name_b": "张英"}),
    ("one name shared", {"name_a": "王大山", "name_c": "王大山"}, {"name_a": "王大山", "name_c": "王大山"}),  # he counts once
    ("one name shared", {"name_a": "王大山", "name_b": "王大山"}, {"name_a": "王大山", "name_b": "李芳"}),
    ("none shared", {"name_a": "王大山"}, {"name_a": "王大川"}),
    ("none shared", {"id_a": "F1", "phone_a": "1"}, {"id_a": "F2", "phone_a": "2"}),
    ("missing", {"id_a": "F1"}, {"name_a": "王大山"}),  # nothing of one kind on both sides
    ("missing", {"id_a": "1380"}, {"phone_a": "1380"}),  # a number is no phone
    ("missing", {}, {"id_a": "F1", "phone_a": "1", "name_a": "王大山"}),
    ("missing", {"name_a": "·"}, {"name_a": " "}),
    ("missing", {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("level", "left", "right"), GUARDIANS)
def test_guardians_are_compared_as_sets(level_of, level, left, right):
    assert level_of(FAMILY_OF, left, right) == level


MEMBERS = st.fixed_dictionaries(
    {column: st.sampled_from([None, "甲", "乙", "丙"]) for column in ("id_a", "id_b", "phone_a", "name_a", "name_b", "name_c")}
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.tuples(MEMBERS, MEMBERS), min_size=1, max_size=8), st.data())
def test_who_comes_first_says_nothing_and_neither_does_the_side(levels_of, pairs, data):
    found = levels_of(FAMILY_OF, pairs).tolist()
    order = data.draw(st.permutations(["name_a", "name_b", "name_c"]))
    moved = [({**a, **{to: a[of] for to, of in zip(sorted(order), order, strict=True)}}, b) for a, b in pairs]

    assert levels_of(FAMILY_OF, moved).tolist() == found
    assert levels_of(FAMILY_OF, [(b, a) for a, b in pairs]).tolist() == found


def test_the_blocking_keys_of_guardians_do_not_depend_on_who_comes_first():
    records = pl.DataFrame(
        {"id_a": ["F", "M", "F", None], "id_b": ["M", "F", None, None], "name_a": ["山", "芳", "芳", None]}
    )
    keys = pl.DataFrame(FAMILY_OF.keys(pl.DataFrame(FAMILY_OF.prepare(records))))

    first_id = keys["guardians.first_id"].to_list()
    assert first_id[0] == first_id[1] is not None
    assert first_id[3] is None
    assert keys["guardians.first_phone"].null_count() == 4
    assert keys["guardians.first_name"].n_unique() == 3


# -- places --------------------------------------------------------------------------------------------------------

PLACE = Place("division", home="hukou", here="school")

PLACES = [
    ("same county of 户籍", {"hukou": "533123"}, {"hukou": "533123"}),
    ("same county of 户籍", {"hukou": "533123", "school": "110105"}, {"hukou": "533123001002", "school": "530102"}),
    ("one 户籍 unknown, same county", {"hukou": "533123"}, {"school": "533123"}),
    ("one 户籍 unknown, same county", {"school": "533123"}, {"school": "533123"}),
    ("户籍 in the same prefecture", {"hukou": "533123"}, {"hukou": "533103"}),
    ("户籍 in the same prefecture", {"hukou": "533123", "school": "533103"}, {"hukou": "533103", "school": "533103"}),
    ("户籍 differs, same county", {"hukou": "533123"}, {"hukou": "110105", "school": "533123"}),
    ("户籍 differs, same county", {"hukou": "533123", "school": "440305"}, {"hukou": "110105", "school": "440305"}),
    ("different", {"hukou": "533123"}, {"hukou": "110105"}),
    ("different", {"hukou": "533123"}, {"hukou": "532103"}),  # another prefecture of the same province
    ("different", {"hukou": "533123"}, {"school": "533103"}),  # the prefecture counts for 户籍 only
    ("missing", {}, {"hukou": "533123"}),
    ("missing", {"hukou": "不详"}, {"hukou": "533123"}),
    ("missing", {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("level", "left", "right"), PLACES)
def test_places_are_compared_by_the_county_of_the_hukou_first(level_of, level, left, right):
    assert level_of(PLACE, left, right) == level


COUNTIES = st.sampled_from([None, "533123", "533103", "110105", "不详"])
PLACED = st.fixed_dictionaries({"hukou": COUNTIES, "school": COUNTIES})


@given(st.lists(st.tuples(PLACED, PLACED), min_size=1, max_size=8))
def test_the_level_of_two_places_is_the_same_both_ways_round(levels_of, pairs):
    assert levels_of(PLACE, pairs).tolist() == levels_of(PLACE, [(b, a) for a, b in pairs]).tolist()
