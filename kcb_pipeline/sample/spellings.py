"""Other spellings of one name: what clerks, keyboards and old systems make of it.

What belongs here: tables of confusable characters and syllables, and one small function a kind of misspelling. Each takes
a name and gives another, or nothing where that kind does not apply to it. When they happen is `damage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kcb_pipeline.sample.chance import Chance
from kcb_pipeline.sample.names import RARE, words

_HOMOPHONES: Final = words(
    "章张 阳杨洋扬 涵晗函寒 轩萱宣 宇雨羽语 佳嘉家加 欣鑫馨新心 怡宜仪 诗施 浩皓昊 俊骏军君 杰洁捷 "
    "梓子紫芷 伟玮炜 婷亭庭 静婧靖 博波 文雯 思斯 瑶遥 琪棋淇 悦玥月越 晨辰宸 泽则 铭明鸣 航杭 奕艺逸 "
    "源元园 熙希溪 睿瑞锐 豪毫 祥翔 李里理 王汪 吴武 徐许 于余俞 何和贺 高皋 林琳霖 程成诚 蒋讲 沈审 付傅 "
    "肖萧 丽莉利 燕艳 敏闽 娟捐 梅玫 国果 建健 志智 红洪 强墙 勇永 磊蕾 鹏朋 飞菲 凯楷 英瑛 秀绣 玲灵 "
    "芬纷 兰蓝 桂贵 凤奉"
)
_LOOK_ALIKES: Final = words(
    "己已 未末 天夫 土士 王玉 李季 陈阵 杨扬 张弘 刘浏 沐沭 烨桦 瑞端 琪淇 祥样 明朋 睿壑 晗哈 萱宣 彤丹 "
    "涵函 铭铬 泽择 航舫 晨震 宸震 妍研 雅稚 倩情 颖颍 婷停 媛暖 磊垒 涛祷 浩洁 俊骏 宇字 梓样 怡治 诺偌 "
    "贾贯 汪江 侯候 邱丘 钟仲 史吏 石右 余佘 戴载 傅博 徐涂 阿河 木本 日曰 布市"
)
_OLD_FORMS: Final = {
    pair[0]: pair[1]
    for pair in words(
        "国國 华華 龙龍 张張 陈陳 杨楊 刘劉 马馬 赵趙 吴吳 军軍 凤鳳 兰蘭 东東 峰峯 群羣 升昇 钟鍾 丽麗 静靜 云雲 宁甯 "
        "吕呂 黄黃 罗羅 郑鄭 谢謝 韩韓 冯馮 邓鄧 肖萧 付傅 闫阎 卢盧 苏蘇 叶葉 诗詩 语語 学學 荣榮 兴興 贵貴 红紅 伟偉 "
        "强強 鹏鵬 杰傑 轩軒 铭銘 泽澤 颖穎 莹瑩 洁潔 晓曉 珍珎 艳艷 开開 会會 万萬"
    )
}
_SYLLABLES: Final = (
    ("买买提", "麦麦提"), ("艾合买提", "艾合麦提"), ("吐尔逊", "图尔逊"), ("阿卜杜", "阿布都"), ("玉素甫", "玉苏甫"),
    ("库尔班", "库尔版"), ("古丽", "古力"), ("多吉", "多杰"), ("次仁", "才仁"), ("扎西", "札西"), ("格桑", "嘎桑"),
    ("卓玛", "卓马"), ("旺堆", "旺对"), ("洛桑", "罗桑"), ("平措", "彭措"), ("木呷", "木嘎"), ("木呷", "木尕"),
    ("尔布", "尔不"), ("吉克", "吉可"), ("阿依", "阿衣"), ("伍呷", "吾呷"), ("拉姆", "拉毛"), ("尼玛", "尼马"),
    ("阿呷", "阿嘎"), ("曲珍", "曲真"), ("石布", "史布"), ("阿妞", "阿纽"), ("阿普", "阿朴"), ("热合曼", "热和曼"),
)  # fmt: skip
_DOTS: Final = ("•", "・", "･", ".", "．", "‧", "∙", "⋅", " ", "")
"""What stands for the middle dot U+00B7 in other systems."""
_LONGEST: Final = 10
"""Where old tables cut a name: a field of 20 bytes holds ten characters."""


def _neighbours(groups: list[str]) -> dict[str, str]:
    return {
        character: "".join(other for other in group if other != character)
        for group in groups
        for character in group
        if len(set(group)) > 1
    }


_SOUNDS_LIKE: Final = _neighbours(_HOMOPHONES)
_LOOKS_LIKE: Final = _neighbours(_LOOK_ALIKES)

Misspelling = Callable[[Chance, str, str], str | None]
"""(chance, full name, its family part) → another spelling, or None."""


def _replace_one(chance: Chance, name: str, table: dict[str, str]) -> str | None:
    places = [place for place, character in enumerate(name) if character in table]
    if not places:
        return None
    place = chance.choice(places[1:] or places)  # given names are mistaken more often than surnames
    return name[:place] + chance.choice(table[name[place]]) + name[place + 1 :]


def sound_alike(chance: Chance, name: str) -> str | None:
    """One character replaced by another read the same, for twins named alike."""
    return _replace_one(chance, name, _SOUNDS_LIKE)


def homophone(chance: Chance, name: str, _family: str) -> str | None:
    """张浩 → 张皓."""
    return sound_alike(chance, name)


def look_alike(chance: Chance, name: str, _family: str) -> str | None:
    """李明 → 季明."""
    return _replace_one(chance, name, _LOOKS_LIKE)


def old_form(chance: Chance, name: str, _family: str) -> str | None:
    """A variant or traditional form: 陈国华 → 陳國華."""
    if not any(character in _OLD_FORMS for character in name):
        return None
    if chance.random() < 0.5:
        return "".join(_OLD_FORMS.get(character, character) for character in name)
    return _replace_one(chance, name, _OLD_FORMS)


def dropped(chance: Chance, name: str, family: str) -> str | None:
    """One character of the given name lost."""
    if len(name) - len(family) < 2:
        return None
    place = chance.randrange(max(1, len(family)), len(name))
    return name[:place] + name[place + 1 :]


def added(chance: Chance, name: str, _family: str) -> str | None:
    """A character doubled, or one put after the name by a slip."""
    if len(name) > 3:
        return None
    return name + (name[-1] if chance.random() < 0.5 else chance.choice("小文子儿平"))


def other_order(_chance: Chance, name: str, family: str) -> str | None:
    """吉克阿牛 → 阿牛吉克."""
    if len(family) == 2 and len(name) == 4:
        return name[2:] + family
    if not family and len(name) == 4 and "·" not in name:
        return name[2:] + name[:2]
    return None


def other_syllables(chance: Chance, name: str, _family: str) -> str | None:
    """Another transliteration: 买买提 → 麦麦提."""
    fitting = [(one, other) for one, other in _SYLLABLES if one in name]
    if not fitting:
        return None
    one, other = chance.choice(fitting)
    return name.replace(one, other, 1)


def other_dot(chance: Chance, name: str, _family: str) -> str | None:
    """A character that looks like the middle dot, or none."""
    return name.replace("·", chance.choice(_DOTS)) if "·" in name else None


def blanks(chance: Chance, name: str, family: str) -> str | None:
    """Blanks inside, as in forms that spread two characters over three places."""
    place = len(family) if 0 < len(family) < len(name) else 1
    return name[:place] + chance.choice((" ", "\u3000", "  ")) + name[place:]


def no_such_character(chance: Chance, name: str, _family: str) -> str | None:
    """What a system without a rare character puts in its place."""
    rare = next((character for character in name if character in RARE), None)
    if rare is None:
        return None
    return name.replace(rare, chance.choice((RARE[rare], RARE[rare].upper(), "□", "?", "〓")))


def cut(_chance: Chance, name: str, _family: str) -> str | None:
    """A long name cut at the width of an old field."""
    return name[:_LONGEST] if len(name) > _LONGEST else None
