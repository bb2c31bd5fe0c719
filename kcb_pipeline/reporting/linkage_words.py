"""The linkage in Chinese: what comparisons, their levels, blocking rules and decisions are called on charts and in reports."""

from __future__ import annotations

from typing import Final

COMPARISONS: Final = {
    "prior": "先验",
    "id_number": "证件号码",
    "name": "姓名",
    "birth_date": "出生日期",
    "sex": "性别",
    "guardians": "监护人",
    "division": "区划",
    "relatives": "他人相像",
}

LEVELS: Final = {
    "id_number": (
        "相同", "学籍号内的号码相同", "相同，校验码错", "差一位", "差两位", "是家人的号码", "均有效但不同", "不同",
    ),
    "name": (
        "相同", "异体、繁体", "曾用名", "同音", "占位字、拼音", "次序不同", "形近", "近音", "多字、少字", "姓不同", "一字不同", "仅姓相同", "不同",
    ),
    "birth_date": ("相同", "月日颠倒", "差一位", "差一年", "占位日期", "农历、公历", "同年同月", "同年", "不同"),
    "sex": ("相同", "不同"),
    "guardians": ("号码或电话相同", "两人姓名相同", "一人姓名相同", "均不同"),
    "division": ("户籍同县", "一方户籍不详，同县", "户籍同州市", "户籍不同，同县", "不同"),
}  # fmt: skip
"""The levels of each comparison of the registers, in their order (tests/unit/reporting/test_charts.py holds them to the settings)."""

RULES: Final = {
    "same valid number": "有效证件号码相同",
    "number after G": "学籍号 G 后的号码",
    "former number": "原证件号码",
    "name, birth date": "姓名、出生日期",
    "sound of name, birth date": "姓名读音、出生日期",
    "characters of name, birth date": "姓名用字、出生日期",
    "birth date, sex, county of 户籍": "出生日期、性别、户籍县",
    "name, year, county of 户籍": "姓名、出生年、户籍县",
    "sound of name, year, county": "姓名读音、出生年、户籍县",
    "given name, birth date": "名、出生日期",
    "last eight places of the number": "证件号码后八位",
    "first fourteen places of the number": "证件号码前十四位",
    "guardian's number, year": "监护人证件号码、出生年",
    "guardian's number, sex": "监护人证件号码、性别",
    "guardian's phone, sex": "监护人电话、性别",
    "guardian's and child's name": "监护人与儿童姓名",
    "guardian's name, birth date": "监护人姓名、出生日期",
    "name, sex, county of 户籍": "姓名、性别、户籍县",
}

DECISIONS: Final = {"linked": "认定", "review": "待核", "rejected": "未采用"}


def comparison_words(name: str) -> str:
    """A comparison's Chinese name; its own where it has none."""
    return COMPARISONS.get(name, name)


def level_words(comparison: str, level: int, label: str) -> str:
    """A level's Chinese name; its English label where it has none."""
    words = LEVELS.get(comparison, ())
    return words[level] if 0 <= level < len(words) else label


def rule_words(name: str) -> str:
    """A blocking rule's Chinese name; its own where it has none."""
    return RULES.get(name, name)
