"""Names: what never tells two people apart is left out of the key; what was written is never changed; and what sounds, reads or
looks alike has equal keys."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.identity.characters import tables, toneless
from kcb_pipeline.identity.names import WILDCARD, NameTable, pinyin_syllables, plain_key


def key(*names):
    return plain_key(pl.Series(names, dtype=pl.String)).to_list()


# -- the plain key: dots, blanks, width, case, private use ---------------------------------------------------------

# domain.md §4: the one dot of 民委发〔2016〕33号, and everything that is typed or decoded in its place
DOTS = {
    "U+00B7 middle dot": "\u00b7",
    "U+0387 Greek ano teleia": "\u0387",
    "U+02D9 dot above": "\u02d9",
    "U+1427 Canadian final middle dot": "\u1427",
    "U+16EB runic punctuation": "\u16eb",
    "U+2022 bullet": "\u2022",
    "U+2024 one dot leader": "\u2024",
    "U+2027 hyphenation point": "\u2027",
    "U+2219 bullet operator": "\u2219",
    "U+22C5 dot operator": "\u22c5",
    "U+25CF black circle": "\u25cf",
    "U+2E31 word separator": "\u2e31",
    "U+30FB katakana dot": "\u30fb",
    "U+FF0E full-width full stop": "\uff0e",
    "U+FF65 half-width katakana dot": "\uff65",
    "U+002E full stop": ".",
    "U+3002 ideographic full stop": "\u3002",
    "U+002D hyphen": "-",
}


@pytest.mark.parametrize("dot", DOTS.values(), ids=DOTS)
@pytest.mark.parametrize("around", ["", " ", "\u3000"], ids=["close", "blanks", "full-width blanks"])
def test_whatever_stands_for_the_dot_of_a_transliterated_name_does_not_count(dot, around):
    assert key(f"买买提{around}{dot}{around}艾力", f"阿依古丽{dot}买买提江") == ["买买提艾力", "阿依古丽买买提江"]


def test_the_dot_of_gb2312_and_of_gb18030_is_the_same():
    data = "买买提".encode("gb18030") + b"\xa1\xa4" + "艾力".encode("gb18030")

    assert key(data.decode("gb18030"), data.decode("gb2312")) == ["买买提艾力"] * 2


BLANKS = [" ", "\u3000", "\t", "\u00a0", "\u2002", "\u2009", "\u200b", "\u200d", "\u2060", "\ufeff", "\n"]


@pytest.mark.parametrize("blank", BLANKS, ids=[f"U+{ord(blank):04X}" for blank in BLANKS])
def test_blanks_anywhere_do_not_count(blank):
    assert key(f"{blank}王{blank}小{blank * 2}明{blank}") == ["王小明"]


def test_width_and_case_do_not_count():
    assert key("ＷＡＮＧ　ｘｉａｏ", "wang xiao", "Wang Xiao", "王Ｊｉｅ") == [
        "WANGXIAO",
        "WANGXIAO",
        "WANGXIAO",
        "王JIE",
    ]


PRIVATE = {
    b"\xa8\xbc": "\u1e3f", b"\xfe\x51": "\U00020087", b"\xfe\x52": "\U00020089", b"\xfe\x53": "\U000200cc", b"\xfe\x59": "\u9fb4",
    b"\xfe\x61": "\u9fb5", b"\xfe\x66": "\u9fb6", b"\xfe\x67": "\u9fb7", b"\xfe\x6c": "\U000215d7", b"\xfe\x6d": "\u9fb8",
    b"\xfe\x76": "\U0002298f", b"\xfe\x7e": "\u9fb9", b"\xfe\x90": "\u9fba", b"\xfe\x91": "\U000241fe", b"\xfe\xa0": "\u9fbb",
}  # fmt: skip


@pytest.mark.parametrize(("data", "assigned"), PRIVATE.items(), ids=[data.hex().upper() for data in PRIVATE])
def test_a_character_that_gb18030_decodes_to_private_use_is_the_character_it_stands_for(table_of, data, assigned):
    decoded = data.decode("gb18030")

    assert key(f"王{decoded}明") == key(f"王{assigned}明")
    assert len({*table_of(f"王{decoded}明", f"王{assigned}明").folded_keys().tolist()}) == 1


def test_other_private_use_characters_are_left_as_they_are():
    assert key("王\ue000明", "王\uf8ff明") == ["王\ue000明", "王\uf8ff明"]


def test_a_name_of_nothing_is_missing():
    assert key("", " ", "·", None, "\u200b") == [None] * 5


def test_what_was_written_is_not_changed():
    written = pl.Series("name", ["劉 甯", "买买提•艾力", None, "ＷＡＮＧ", "王\ue81e"])
    before = written.to_list()

    plain_key(written)

    assert written.to_list() == before


CHARACTERS = st.text(alphabet=st.sampled_from("王李明劉甯䶮𠂇\ue81e·•. \u3000ＡaÜ□?"), max_size=10)


@settings(max_examples=40)
@given(st.lists(st.one_of(st.none(), CHARACTERS), max_size=6))
def test_a_key_is_its_own_key_and_does_not_depend_on_its_neighbours(names):
    keys = key(*names)

    assert key(*keys) == keys
    assert keys == [key(name)[0] for name in names]


@given(CHARACTERS, st.sampled_from([" ", "\u3000", "·", "•", "\u200b"]), st.integers(0, 10))
def test_a_blank_or_dot_more_changes_nothing(name, extra, place):
    assert key(name[:place] + extra + name[place:]) == key(name)


@pytest.mark.parametrize("placeholder", "□■○◎?？*＊×〓＿\ufffd")
def test_a_placeholder_is_not_left_out(placeholder):
    assert len(key(f"张{placeholder}")[0]) == 2


# -- variant forms: keys only --------------------------------------------------------------------------------------

VARIANTS = ["刘 劉", "宁 甯 寧", "升 昇 陞", "张 張", "陈 陳", "钟 鍾 鐘", "峰 峯", "群 羣", "苏 蘇 甦", "龙 龍", "叶 葉", "韦 韋", "乐 樂", "万 萬", "启 啟 啓", "溪 谿", "征 徵", "于 於", "厘 釐", "秘 祕"]  # fmt: skip


@pytest.mark.parametrize("forms", VARIANTS)
def test_traditional_and_variant_forms_have_one_folded_key(table_of, forms):
    names = [f"{form}小{form}" for form in forms.split()]

    assert len(set(table_of(*names).folded_keys().tolist())) == 1


@pytest.mark.parametrize("forms", VARIANTS)
def test_variant_forms_are_still_seen_to_be_written_differently(table_of, forms):
    table = table_of(*[f"{form}小" for form in forms.split()])

    assert len({tuple(row) for row in table.written.tolist()}) == len(forms.split())
    assert key(*forms.split()) == forms.split()


@pytest.mark.parametrize(
    ("a", "b"), [("王小明", "王小红"), ("王明", "王小明"), ("张玮", "张伟"), ("买买提", "麦麦提"), ("己", "已")]
)
def test_different_names_have_different_folded_keys(table_of, a, b):
    first, second = table_of(a, b).folded_keys().tolist()

    assert first != second


def test_the_folding_of_a_folded_character_is_itself():
    folded = tables().folded

    assert (folded[folded] == folded).all()


# -- readings ------------------------------------------------------------------------------------------------------

SURNAMES = {  # domain.md §6: what the dictionary reads otherwise; with one that sounds the same
    "单": ("shan", "山"),
    "仇": ("qiu", "邱"),
    "解": ("xie", "谢"),
    "查": ("zha", "渣"),
    "曾": ("zeng", "增"),
    "区": ("ou", "欧"),
    "朴": ("piao", "飘"),
    "缪": ("miao", "苗"),
}


@pytest.mark.parametrize("surname", SURNAMES)
def test_a_surname_has_its_reading_as_a_surname(table_of, surname):
    reading, homophone = SURNAMES[surname]

    table = table_of(f"{surname}小明", f"{homophone}小明")

    assert tables().syllables[table.readings[0, 0, 0]] == reading
    assert len(set(table.pinyin_keys().tolist())) == 1


@pytest.mark.parametrize("surname", SURNAMES)
def test_that_reading_is_the_surnames_only(table_of, surname):
    reading, homophone = SURNAMES[surname]

    table = table_of(f"王{surname}", f"王{homophone}")

    if surname not in "仇查":  # of these the reading as a surname is among the common ones anyway
        assert tables().syllables[table.readings[0, 1, 0]] != reading


@pytest.mark.parametrize("written", ["{}□", "{}JIE", "{}jie", "{}?明"])
def test_a_surname_keeps_its_reading_beside_pinyin_or_a_placeholder(table_of, written):
    table = table_of(*[written.format(surname) for surname in SURNAMES])

    read = [tables().syllables[number] for number in table.readings[:, 0, 0]]
    assert read == [reading for reading, _ in SURNAMES.values()]


@pytest.mark.parametrize("traditional", ["單小明", "區小明", "繆小明", "尉遲明", "萬俟雪"])
def test_a_surname_in_traditional_form_has_the_same_reading(table_of, traditional):
    simplified = traditional.translate(str.maketrans("單區繆遲萬", "单区缪迟万"))

    assert len(set(table_of(traditional, simplified).pinyin_keys().tolist())) == 1


@pytest.mark.parametrize(
    ("surname", "reading"),
    [("尉迟", ["yu", "chi"]), ("万俟", ["mo", "qi"]), ("欧阳", ["ou", "yang"]), ("长孙", ["zhang", "sun"])],
)
def test_a_compound_surname_has_its_reading(table_of, surname, reading):
    table = table_of(f"{surname}明", surname, f"{surname}小明")

    for row in range(3):
        assert [tables().syllables[number] for number in table.readings[row, :2, 0]] == reading


@pytest.mark.parametrize(
    ("a", "b"), [("张伟", "张玮"), ("尉迟明", "玉池明"), ("万俟雪", "莫奇雪"), ("王晓丽", "汪小莉"), ("吕绿", "旅律")]
)
def test_homophones_have_one_pinyin_key(table_of, a, b):
    assert len(set(table_of(a, b).pinyin_keys().tolist())) == 1


@pytest.mark.parametrize(("a", "b"), [("张伟", "张丽"), ("吕明", "鲁明"), ("王明", "王小明")])
def test_names_that_sound_different_have_different_pinyin_keys(table_of, a, b):
    assert len(set(table_of(a, b).pinyin_keys().tolist())) == 2


@pytest.mark.parametrize(
    ("written", "syllable"), [("zhāng", "zhang"), ("lǜ", "lv"), ("Nǚ", "nv"), ("er", "er"), (" ǎi ", "ai")]
)
def test_a_syllable_without_its_tone(written, syllable):
    assert toneless(written) == syllable


# -- pinyin for a character, placeholders, order -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "syllables"),
    [
        ("ZHANGJIE", ["ZHANG", "JIE"]),
        ("XIAOMING", ["XIAO", "MING"]),
        ("YAN", ["YAN"]),
        ("DUOJI", ["DUO", "JI"]),
        ("SMITH", []),
        ("XYZ", []),
        ("", []),
    ],
)
def test_latin_letters_are_cut_into_syllables_where_they_are_pinyin(letters, syllables):
    assert pinyin_syllables(letters) == syllables


@given(
    st.lists(
        st.sampled_from(["ZHANG", "WANG", "MING", "XIAO", "JIE", "YAN", "DUO", "LV", "SHUANG"]), min_size=1, max_size=5
    )
)
def test_any_row_of_syllables_is_pinyin(syllables):
    assert "".join(pinyin_syllables("".join(syllables))) == "".join(syllables)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("张䶮", "张YAN"),
        ("张䶮", "张yan"),
        ("张杰", "ZHANG JIE"),
        ("王小明", "王XIAO明"),
        ("王小明", "Wang Xiaoming"),
        ("单杰", "单jie"),
    ],
)
def test_pinyin_in_the_place_of_a_character_has_its_sound(table_of, a, b):
    assert len(set(table_of(a, b).pinyin_keys().tolist())) == 1


def test_latin_letters_that_are_no_pinyin_are_told_apart(table_of):
    assert len(set(table_of("SMITH", "JOHNS", "王X").folded_keys().tolist())) == 3


@pytest.mark.parametrize("placeholder", "□■○●◎?？*＊×〓＿\ufffd")
def test_a_placeholder_may_stand_for_any_character(table_of, placeholder):
    table = table_of(f"张{placeholder}明", "张小明")

    assert table.tokens[0, 1] == WILDCARD
    assert table.lengths.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("a", "b"), [("吉克阿牛", "阿牛吉克"), ("买买提·艾力", "艾力·买买提"), ("扎西卓玛", "卓玛扎西"), ("劉明", "明刘")]
)
def test_a_reordered_name_has_one_sorted_key(table_of, a, b):
    table = table_of(a, b)

    assert len(set(table.sorted_keys().tolist())) == 1
    assert len(set(table.folded_keys().tolist())) == 2


@given(st.permutations(list("吉克阿牛木")))
def test_every_order_of_the_same_characters_has_one_sorted_key(table_of, order):
    assert len(set(table_of("吉克阿牛木", "".join(order)).sorted_keys().tolist())) == 1


def test_the_given_name_has_a_key_of_its_own(table_of):
    given_keys = table_of("王小明", "李小明", "張小明", "王小红", "王").given_keys().tolist()

    assert len(set(given_keys[:3])) == 1
    assert given_keys[3] != given_keys[0]
    assert given_keys[4] == 0


@pytest.mark.parametrize(
    ("a", "b"), [("买买提•艾力", "买买提·艾力"), ("ＷＡＮＧ", "wang"), ("王 小 明", "王小明"), ("王\ue81e", "王\u9fb4")]
)
def test_spellings_of_one_name_have_one_of_every_key(table_of, a, b):
    table = table_of(a, b)

    for keys in (table.folded_keys(), table.pinyin_keys(), table.sorted_keys(), table.given_keys()):
        assert keys[0] == keys[1]


NAMES = st.text(alphabet=st.sampled_from("王李张刘劉明小红阿牛□AYAN䶮单"), min_size=1, max_size=8)


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=5), NAMES)
def test_the_keys_of_a_name_do_not_depend_on_the_other_names_of_the_table(table_of, names, longest):
    alone = [table_of(name) for name in names]
    together = table_of(*names, longest * 3)

    for which in ("folded_keys", "pinyin_keys", "sorted_keys", "given_keys"):
        assert getattr(together, which)().tolist()[:-1] == [getattr(one, which)()[0] for one in alone]


def test_a_table_of_no_names_is_a_table():
    table = NameTable.of(pl.Series([], dtype=pl.String))

    assert table.folded_keys().tolist() == []


def test_a_name_of_twenty_five_characters_is_compared(table_of):
    long = "阿不都热合曼江买买提艾力吐尔逊古丽巴哈尔再娜甫罕"

    assert len(long) >= 24
    assert table_of(long).lengths[0] == 24
