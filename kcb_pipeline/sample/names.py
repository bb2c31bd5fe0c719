"""Made-up names of the peoples who live here, composed from characters and syllables.

What belongs here: how a name is made. No list of real people was used: surnames in the rough order of their frequency,
given names put together from the characters each decade liked. How a name is misspelled is `spellings`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kcb_pipeline.sample.chance import Chance, Weighted, zipf

HAN, HUI, TIBETAN, UYGHUR, YI, BAI, LISU = "01", "03", "04", "05", "07", "14", "20"
ETHNICITIES: Final = {
    "01": "汉族", "03": "回族", "04": "藏族", "05": "维吾尔族", "06": "苗族", "07": "彝族", "14": "白族", "20": "傈僳族"
}  # fmt: skip
"""Codes of GB/T 3304 that occur in the region."""


def words(text: str) -> list[str]:
    """The words of a table that is easier to read as one line of text."""
    return text.split()


class Name(NamedTuple):
    """A name, and the part of it that passes to the children (empty where nothing does)."""

    family: str
    full: str


_SURNAMES: Final = zipf(
    words(
        "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 "
        "邓 许 傅 沈 曾 彭 吕 苏 卢 蒋 蔡 贾 丁 魏 薛 叶 阎 余 潘 杜 戴 夏 钟 汪 田 任 姜 范 方 石 姚 谭 廖 "
        "邹 熊 金 陆 郝 孔 白 崔 康 毛 邱 秦 江 史 顾 侯 邵 孟 龙 万 段 雷 钱 汤 尹 黎 易 常 武 乔 贺 赖 龚 "
        "文 肖 付 闫 欧阳 单 仇 解 查 区 朴 缪 盖 乐 纪 司马 上官 尉迟 诸葛 皇甫 令狐 慕容 万俟 长孙 鲜于 "
        "第五"
    ),
    1.15,
)
_HUI_SURNAMES: Final = zipf(words("马 沙 纳 撒 保 米 丁 哈 白 虎 忽 赛 闪 速 张 李"), 1.2)
_LISU_SURNAMES: Final = zipf(words("余 密 祝 熊 胡 蜂 普 邓 和 李 乔 欧"), 1.0)
_BAI_SURNAMES: Final = zipf(words("杨 赵 李 董 段 张 尹 洪 何 施 苏 王 那 奚 字"), 1.0)

_GIVEN: Final = {
    ("1", 1940): "国 福 德 明 光 文 荣 兴 富 贵 祥 发 金 有 万 正 开 朝 世 清 元 生 成 学 忠",
    ("2", 1940): "秀 桂 玉 凤 兰 英 珍 莲 芝 芬 菊 翠 素 淑 琼 美 香 花 连 存 月 仙 会 招 引",
    ("1", 1965): "建 国 军 志 明 华 平 文 勇 强 伟 林 云 红 光 学 海 春 永 忠 斌 刚 峰 辉 东 新",
    ("2", 1965): "丽 红 霞 燕 芳 敏 萍 琼 梅 艳 华 英 春 云 琴 晓 慧 玲 娟 秀 兰 仙 珍 美 芬",
    ("1", 1985): "伟 磊 涛 超 鹏 杰 浩 波 俊 鑫 飞 龙 凯 宇 晓 家 海 亮 斌 东 旭 洋 雄 成 锋 坤",
    ("2", 1985): "婷 静 娜 雪 倩 颖 莉 丹 慧 佳 琳 蕾 晶 洁 玲 燕 娟 雯 敏 露 璐 艳 春 丽 瑶 媛",
    ("1", 2005): "浩 宇 俊 杰 轩 子 博 文 涵 皓 宸 睿 梓 铭 泽 一 诺 航 辰 奕 天 佑 嘉 豪 思 源 晨 熙 瑞 祥",
    ("2", 2005): "梓 涵 欣 怡 雨 诗 语 可 馨 妍 萱 彤 瑶 琪 悦 思 佳 雅 婷 静 若 熙 芷 紫 晗 玥 艺 嘉 梦 晴",
}
_CHARACTERS: Final = {key: zipf(words(characters), 0.8) for key, characters in _GIVEN.items()}
_SINGLE: Final = {1940: 0.06, 1965: 0.32, 1985: 0.36, 2005: 0.12}
"""How many given names of an era have one character only."""
_POPULAR: Final = {"1": ("王伟", "李强", "张伟", "张浩", "杨涛"), "2": ("张敏", "李婷", "王静", "李娜", "杨丽")}
"""Names that many unrelated people bear."""
RARE: Final = {
    "㛃": "jie", "䶮": "yan", "𬱟": "wei", "𫖯": "fu", "𬭎": "hong", "㼆": "ying", "𬘭": "chen", "龻": "luan",
    "龺": "gan", "𠂇": "zuo", "翀": "chong", "堃": "kun", "彧": "yu", "赟": "yun",
}  # fmt: skip
"""Characters many systems lack, with what stands for them in pinyin."""
_RARE: Final = zipf(list(RARE), 0.0)

_YI_CLANS: Final = zipf(
    words("吉克 沙马 阿尔 马海 曲比 吉木 俄木 阿苦 海来 勒格 阿俄 的日 吉伍 阿说 莫色 且沙 巴久 苏呷"),
    0.6,
)
_YI_GIVEN: Final = {
    "1": zipf(
        words("阿牛 木呷 尔布 石布 伍呷 日古 木且 拉且 子布 尔古 克哈 史布 阿木 日黑 拉铁 伍且"),
        0.5,
    ),
    "2": zipf(
        words("阿依 阿呷 伍果 阿果 石作 日洛 尔洛 阿支 子洛 阿牛 伍支 木果 史洛 尔扎 阿芝 日作"),
        0.5,
    ),
}
_TIBETAN: Final = {
    "1": zipf(
        words("扎西 多吉 次仁 格桑 旺堆 丹增 洛桑 尼玛 罗布 平措 顿珠 巴桑 索朗 仁青 旺加 云丹"),
        0.6,
    ),
    "2": zipf(
        words("卓玛 央金 拉姆 德吉 白玛 曲珍 格桑 次仁 达娃 仓决 措姆 桑吉 尼玛 益西 旺姆 玉珍"),
        0.6,
    ),
}
_UYGHUR: Final = {
    "1": zipf(
        words("买买提 艾合买提 吐尔逊 阿卜杜拉 阿里木 玉素甫 热合曼 卡德尔 库尔班 阿迪力 艾力 阿卜杜热合曼"),
        0.5,
    ),
    "2": zipf(
        words("阿依古丽 古丽娜尔 热依汗 帕提古丽 阿依努尔 米热古丽 祖丽菲亚 迪丽努尔 美合日古丽 阿米娜"),
        0.5,
    ),
}
_LISU_GIVEN: Final = {
    "1": zipf(words("阿普 阿邓 阿开 四才 三益 付此 恒波 欧恒 此路 阿夺 迪三 阿恰"), 0.5),
    "2": zipf(words("妞扒 娜妞 阿娜 迪妞 开妞 恒娜 阿妞 四娜 付妞 此娜 阿肯 南妞"), 0.5),
}
_PEOPLES: Final = Weighted(list(ETHNICITIES), [61, 5, 4, 2, 2, 17, 6, 3])


def pick_ethnicity(chance: Chance) -> str:
    """A people, as a code of GB/T 3304, in the region's shares."""
    return _PEOPLES.pick(chance)


def _era(year: int) -> int:
    return 1940 if year < 1960 else 1965 if year < 1980 else 1985 if year < 2001 else 2005


def make_name(
    chance: Chance, ethnicity: str, sex: str, year: int, father: Name | None = None, generation: str = ""
) -> Name:
    """A name for somebody born in `year`; `generation` is a first character shared with brothers or sisters."""
    family = father.family if father else ""
    if ethnicity == UYGHUR:
        return _uyghur(chance, sex, father)
    if ethnicity == TIBETAN:
        first, second = _TIBETAN[sex].pick(chance), _TIBETAN[sex].pick(chance)
        return Name("", first + (second if second != first else "旺姆" if sex == "2" else "加措"))
    if ethnicity == YI and (len(family) == 2 or (not family and chance.random() < 0.7)):
        clan = family or _YI_CLANS.pick(chance)
        return Name(clan, clan + _YI_GIVEN[sex].pick(chance))
    if ethnicity == LISU and chance.random() < 0.6:
        family = family or _LISU_SURNAMES.pick(chance)
        return Name(family, family + _LISU_GIVEN[sex].pick(chance))
    if not family:
        pool = {HUI: _HUI_SURNAMES, LISU: _LISU_SURNAMES, BAI: _BAI_SURNAMES}.get(ethnicity, _SURNAMES)
        family = pool.pick(chance)
    if chance.random() < 0.012:
        popular = [name for name in _POPULAR[sex] if name[0] == family]
        if popular:
            return Name(family, chance.choice(popular))
    return Name(family, family + _given(chance, sex, _era(year), generation))


def _given(chance: Chance, sex: str, era: int, generation: str) -> str:
    characters = _CHARACTERS[sex, era]
    draw = chance.random()
    last = _RARE.pick(chance) if draw < 0.002 else characters.pick(chance)
    if not generation and draw > 1 - _SINGLE[era]:
        return last
    return (generation or characters.pick(chance)) + last


def _uyghur(chance: Chance, sex: str, father: Name | None) -> Name:
    """Own name, then the father's own name; now and then the grandfather's too, which makes the name long."""
    own = _UYGHUR[sex].pick(chance)
    if father is None:
        return Name(own, f"{own}·{_UYGHUR['1'].pick(chance)}")
    parts = father.full.split("·")
    return Name(own, "·".join([own, *parts]) if chance.random() < 0.15 else f"{own}·{parts[0]}")


def pick_generation(chance: Chance, sex: str, year: int) -> str:
    """A first character of the given name for brothers or sisters to share."""
    return _CHARACTERS[sex, _era(year)].pick(chance)
