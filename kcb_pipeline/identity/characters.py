"""What one character may be instead of another: variant forms, readings, look-alikes, dots, blanks and placeholders.

These are *keys*: they say what two spellings have in common and never replace what an agency wrote (`opencc` alters
22 of the 8,105 standard characters, some of them name characters; domain.md §6). Tables are arrays by code point, built from
`opencc` (Apache-2.0), `pypinyin` (MIT) and the short lists here, and kept in `characters.npz` beside this module, so that a
program starts in no time and does not depend on the day's release of either: `python -m kcb_pipeline.identity.characters`
builds the file anew, and a test holds it to what would be built.
"""

from __future__ import annotations

import dataclasses
import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

POINTS: Final = 0x323B0
"""One past the last ideograph of Unicode 16 (CJK extension H): the size of every table by code point."""

READINGS: Final = 3
"""Readings kept of a character; beyond the third they are rare enough to hurt more than help."""

_REPAIRS: Final = {
    0xE78D: 0xFE10, 0xE78E: 0xFE12, 0xE78F: 0xFE11, 0xE790: 0xFE13, 0xE791: 0xFE14, 0xE792: 0xFE15, 0xE793: 0xFE16,
    0xE794: 0xFE17, 0xE795: 0xFE18, 0xE796: 0xFE19, 0xE7C7: 0x1E3F, 0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC,
    0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8, 0xE83B: 0x2298F,
    0xE843: 0x9FB9, 0xE854: 0x9FBA, 0xE855: 0x241FE, 0xE864: 0x9FBB,
}  # fmt: skip
PRIVATE_USE_REPAIRS: Final = {chr(private): chr(assigned) for private, assigned in _REPAIRS.items()}
"""Private-use characters that Python's GB18030 table (of 2000) gives for characters assigned since (stack.md §5.1).

The reader of GB18030 files applies them, and name keys do, for files that another program decoded the same way."""

DOTS: Final = "·•‧∙⋅・･᛫ᐧ⸱․.．。,，˙‐‑‒–—-－'’`"
"""What is typed for the separator U+00B7 in transliterated names (民委发〔2016〕33号 allows only that one; domain.md §4)."""

PLACEHOLDERS: Final = "□■○●◎?？*＊×〓＿_�"
"""What a registry shows for a character that its software could not (domain.md §4)."""

VARIANTS: Final = (
    "宁甯寧寗 苏甦蘇 哲喆 坤堃 佩珮 峰峯 群羣 勋勛勳 浚濬 乃迺廼 俞兪 修脩俢 国囯囶 同仝 清淸 青靑 真眞 颖頴穎 灿燦 皓晧暠 翱翺 辉煇輝 果菓"
    " 昆崑崐 娴嫺嫻 启啟啓 升昇陞 于於 秘祕 厘釐 溪谿 征徵 炼煉鍊 杰傑 丰豐 岳嶽 奔犇 泉灥 凉涼 净凈淨 决決 册冊 并並併竝 恒恆 教敎 晋晉"
    " 吴吳呉 黄黃 吕呂 卢盧 户戶 温溫 产產産 郎郞 郷乡鄉 强彊強 杂雜 栢柏 椉乘 氷冰 泪淚 洁潔絜 渊淵渕 烟煙 犹猶 瑶瑤 璇璿 畅暢 畲畬 睿叡"
    " 禄祿 糸丝 绪緒 绿綠緑 荫蔭 莲蓮 藴蕴蘊 虎虝 裡里裏 覇霸 诉愬 谟謨 踪蹤 迹跡蹟 邨村 酝醖 钟锺鍾鐘 铁鐵鉄 锈鏽"
    " 镇鎮鎭 闲閒閑 雁鴈 韵韻 颜顏顔 飏颺 驯馴 鹅鵝鵞 麟麐 齐齊斉 龙龍竜 龚龔"
)
"""Variant forms that are one name to their bearer, beyond what `opencc` turns to simplified. The first of each group is the key."""

_SURNAME_READINGS: Final = {
    "单": "shan", "仇": "qiu", "解": "xie", "查": "zha", "曾": "zeng", "区": "ou", "朴": "piao", "缪": "miao", "盖": "ge",
    "翟": "zhai", "员": "yun", "任": "ren", "华": "hua", "纪": "ji", "召": "shao", "乐": "yue", "尹": "yin", "宁": "ning",
    "洗": "xian", "冼": "xian", "重": "chong", "种": "chong", "黑": "he", "秘": "bi", "逄": "pang", "覃": "qin", "隗": "wei",
    "折": "she", "祭": "zhai", "车": "che", "贾": "jia", "那": "na", "能": "nai", "燕": "yan", "应": "ying", "哈": "ha",
    "过": "guo", "牟": "mu", "卜": "bu", "薄": "bo", "柏": "bai", "褚": "chu", "晟": "cheng", "臧": "zang", "繁": "po",
    "都": "du", "句": "gou", "幺": "yao", "不": "fou", "么": "yao", "佴": "nai", "郇": "xun", "长": "zhang", "藏": "zang",
    "盛": "sheng", "谌": "chen", "訾": "zi", "石": "shi", "沈": "shen", "殷": "yin", "占": "zhan", "叶": "ye", "呙": "guo",
}  # fmt: skip
"""Readings of a character as a surname (姓氏异读), where they differ from, or are only one of, its common readings.

`pypinyin` has no surname mode (domain.md §6); the list follows 《通用规范汉字字典》 and 《中国姓氏大辞典》 usage."""

COMPOUND_SURNAMES: Final = {
    "欧阳": "ouyang", "司马": "sima", "上官": "shangguan", "诸葛": "zhuge", "东方": "dongfang", "皇甫": "huangfu", "尉迟": "yuchi",
    "公孙": "gongsun", "慕容": "murong", "令狐": "linghu", "宇文": "yuwen", "司徒": "situ", "夏侯": "xiahou", "轩辕": "xuanyuan",
    "长孙": "zhangsun", "钟离": "zhongli", "闻人": "wenren", "澹台": "tantai", "万俟": "moqi", "端木": "duanmu", "申屠": "shentu",
    "公冶": "gongye", "宗政": "zongzheng", "濮阳": "puyang", "淳于": "chunyu", "单于": "chanyu", "太叔": "taishu", "独孤": "dugu",
    "南宫": "nangong", "西门": "ximen", "百里": "baili", "呼延": "huyan", "拓跋": "tuoba", "第五": "diwu", "鲜于": "xianyu",
    "完颜": "wanyan", "纳兰": "nalan", "东郭": "dongguo", "乐正": "yuezheng", "亓官": "qiguan", "司空": "sikong", "子车": "ziju",
}  # fmt: skip

RENDERINGS: Final = (
    "次仁 才仁 才让 泽仁 泽让 次让|索朗 索南 四郎 索郎|平措 彭措 朋措|多吉 多杰 道吉|扎西 札西|洛桑 罗桑 罗让 洛绒|丹增 旦增 丹真 旦真 登真"
    "|嘉措 加措 江措 甲措|顿珠 邓珠 登珠 东珠 顿主|格桑 嘎桑 尕桑 尕让 格绒|阿旺 昂旺|益西 意西 伊西 益希|白玛 白马 班玛|拉姆 拉毛 拉莫"
    "|卓玛 卓麻 志玛|贡布 贡保 公保|嘎玛 噶玛 尕玛|次旺 泽旺 才旺|仁青 仁钦 仁清|降央 江央 绛央 嘉央 加央|曲珍 却珍|尼玛 尼麻|德吉 得吉"
    "|央金 央坚|土登 图登 吐登|晋美 吉美 久美|旺姆 旺毛|措姆 措毛"
)
"""How one Tibetan word of names is written in Chinese in Ü-Tsang, Kham and Amdo: ཚེ་རིང is 次仁, 泽仁 or 才让 (domain.md §4: transliteration spellings).

A name is one or two such words and has no surname; which characters stand for a word depends on who wrote it down, not on its bearer."""

_LOOK_ALIKES: Final = (
    "己已巳 戊戌戍戎 末未 土士 王玉主 日曰 免兔 鸟乌 瓜爪 杨扬场 林材村 拔拨 管菅 栗粟 汨汩泊 肓盲 茶荼 毫亳 冼洗 侯候 刺剌 矢失 券卷 享亨"
    " 薄簿 辛幸 子孑 千干于 人入八 大太犬天夫 甲申由田 问间向闻 令今 折拆析 徒徙 陈阵 丸九 力刀刁 车东 午牛 木本术 目且自 风凤 兰三 微徽 佘余"
    " 宫官宣宜 碧璧 晓哓 瑶遥 媛缓援 娜挪 淋琳 琪棋淇祺 璐潞 晴睛清情 崇祟 壸壶 贝见 晟成 昊吴昱 昌晶 明朋 月用 洋详祥 涛祷 浩皓 海梅悔 涵函 泽择 淑椒"
    " 坤绅 坚竖 垚尧 城诚 增赠 墨黑 姗珊 姝妹 娇骄 婧靖 嫣焉 孟盂 宇字 宁了 宏宠 家冢 寅演 小少 尚向 崔催 巧朽 帅师 平乎 庆床 建健 弘私 彤丹"
    " 彦颜 思恩 怡治 怀坏 恒桓 悦说 惠蕙 慧彗 成戌 拉位 敏毓 文义 斌武 旭九 易昜 春舂 晗含 景影 智知 曼蔓 杰木 松忪 柏伯 柯何 桂佳 梁粱 梓锌 欣掀"
    " 正止 武试 毅没 水永冰 江红 沛沐 波坡 泉帛 洁结 润闰 渊洲 源原 潇萧 灵录 炎淡 烁砾 熙煦 燕蒸 爱受 珂坷 珍诊 珠殊 理埋 瑛英 瑜喻 瑞端 瑾谨"
    " 甜恬 男勇 畅扬 白自 百白 盈盆 真直 睿容 祎纬 福幅 秀季 程呈 立位 竹付 笑笔 紫紧 红江 纯钝 绍招 维唯 美姜 翔详 翠萃 耀跃 聪职 肖尚 胜性"
    " 航舫 芝之 芬纷 芳劳 芸云 苗笛 若苦 英央 茂戊 茜西 茹如 荣菜 莉利 莹营 萍苹 蓉容 蕊芯 虎虚 虹虫 蝶碟 裕浴 西酉 詹檐 诗待 诺若 谊宜 豪毫"
    " 贵责 贤坚 赟斌 越钺 超起 轩杆 辉挥 辰晨 达这 迪油 远运 逸免 邓郑 邱印 郁都 金全 鑫金 钰铉 铭铬 锋峰 锐说 锦绵 阳阴 雅稚 雨两 雪雷 雯雱 霖森"
    " 静净 韩朝 飞气 馨声 骏俊 高亮 鸣呜 鸿鸣 鹏鸥 麒骐 默黑 齐斋 龙尤"
)
"""Glyphs that are mistaken for each other in typing from paper (形近字); each group is one class of mistakes."""


def _groups(text: str) -> list[str]:
    return text.split()


@dataclass(frozen=True, slots=True)
class CharacterTables:
    """Arrays by code point.

    folded: the code point of the variant class (traditional, variant and repaired forms give one value).
    readings: shape (POINTS, READINGS), toneless syllable numbers from 1, 0 where there is none.
    surname_reading: the syllable as a surname, 0 where the common readings serve.
    look_alike: shape (POINTS, 2), the classes of mistaken glyphs a character is in, 0 for none.
    syllables: the syllable of each number; initial: the number of its initial; near: the number of its class of
        near-homophones (zh/z, n/l, ang/an ...).
    """

    folded: NDArray[np.uint32]
    readings: NDArray[np.int16]
    surname_reading: NDArray[np.int16]
    look_alike: NDArray[np.int16]
    syllables: tuple[str, ...]
    numbers: dict[str, int]
    initial: NDArray[np.int16]
    near: NDArray[np.int16]
    close: NDArray[np.bool_]
    """syllable × syllable: whether one begins the other (ji and jie, du and duo), one sound of Tibetan, Yi or Uyghur names"""


_FILE: Final = Path(__file__).with_suffix(".npz")


@functools.cache
def tables() -> CharacterTables:
    """The tables, read once a process."""
    with np.load(_FILE, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    syllables = tuple(str(syllable) for syllable in arrays.pop("syllables"))
    numbers = {syllable: number for number, syllable in enumerate(syllables)}
    return CharacterTables(syllables=syllables, numbers=numbers, **arrays)


def keep(built: CharacterTables, file: Path = _FILE) -> None:
    """Write the tables to the file they are read from."""
    names = [field.name for field in dataclasses.fields(built) if field.name != "numbers"]
    arrays: dict[str, Any] = {name: np.asarray(getattr(built, name)) for name in names}
    np.savez_compressed(file, **arrays)


def build() -> CharacterTables:
    """The tables from their sources (about two seconds; wants `opencc` and `pypinyin`)."""
    folded = _fold_table()
    readings_of = _toneless_readings()
    syllables = (
        "",
        *sorted({syllable for readings in readings_of.values() for syllable in readings} | _extra_syllables()),
    )
    numbers = {syllable: number for number, syllable in enumerate(syllables)}
    readings = np.zeros((POINTS, READINGS), dtype=np.int16)
    for point, syllables_of_point in readings_of.items():
        for place, syllable in enumerate(syllables_of_point[:READINGS]):
            readings[point, place] = numbers[syllable]
    surname = np.zeros(POINTS, dtype=np.int16)
    for character, syllable in _SURNAME_READINGS.items():
        surname[ord(character)] = numbers[syllable]
    initials = {initial: number for number, initial in enumerate(sorted({_initial(s) for s in syllables}))}
    nears = {near: number for number, near in enumerate(sorted({_near(s) for s in syllables}))}
    return CharacterTables(
        folded=folded,
        readings=readings,
        surname_reading=surname,
        look_alike=_look_alike_table(),
        syllables=syllables,
        numbers=numbers,
        initial=np.array([initials[_initial(s)] for s in syllables], dtype=np.int16),
        near=np.array([nears[_near(s)] for s in syllables], dtype=np.int16),
        close=np.array(
            [[bool(a and b) and (a.startswith(b) or b.startswith(a)) for b in syllables] for a in syllables]
        ),
    )


def _extra_syllables() -> set[str]:
    return set(_SURNAME_READINGS.values())


def _fold_table() -> NDArray[np.uint32]:
    from opencc import OpenCC

    folded = np.arange(POINTS, dtype=np.uint32)
    ideographs = [chr(point) for start, end in ((0x3400, 0xA000), (0x20000, POINTS)) for point in range(start, end)]
    simplified = OpenCC("t2s").convert("\n".join(ideographs)).split("\n")
    for character, simple in zip(ideographs, simplified, strict=True):
        if len(simple) == 1:
            folded[ord(character)] = ord(simple)
    for group in _groups(VARIANTS):
        for character in group:
            folded[ord(character)] = ord(group[0])
    for private, assigned in PRIVATE_USE_REPAIRS.items():
        folded[ord(private)] = folded[ord(assigned)]
    # A variant may fold to a character that folds again (鍊 → 链 → 炼): follow until nothing moves.
    while not np.array_equal(further := folded[folded], folded):
        folded = further
    return folded


def _toneless_readings() -> dict[int, list[str]]:
    from pypinyin.pinyin_dict import pinyin_dict

    found: dict[int, list[str]] = {}
    for point, readings in pinyin_dict.items():
        if point < POINTS:
            plain = [toneless(reading) for reading in readings.split(",")]
            found[point] = list(dict.fromkeys(syllable for syllable in plain if syllable))
    for private, assigned in PRIVATE_USE_REPAIRS.items():
        if ord(assigned) in found:
            found[ord(private)] = found[ord(assigned)]
    return found


def toneless(syllable: str) -> str:
    """A syllable without its tone, `v` for ü: `lǜ` → `lv`."""
    decomposed = unicodedata.normalize("NFD", syllable.strip().lower()).replace("u\u0308", "v")
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())


_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")


def _initial(syllable: str) -> str:
    return next((initial for initial in _INITIALS if syllable.startswith(initial)), "")


def _near(syllable: str) -> str:
    """The class in which speakers of southern and south-western Mandarin, who wrote most of these names down, merge a syllable."""
    initial = _initial(syllable)
    final = syllable[len(initial) :]
    initial = {"zh": "z", "ch": "c", "sh": "s", "n": "l", "r": "l", "h": "f"}.get(initial, initial)
    if final.endswith("ng"):
        final = {"ang": "an", "eng": "en", "ing": "in", "iang": "ian", "uang": "uan", "ong": "en", "iong": "un"}.get(
            final, final
        )
    return f"{initial}{final}"


def _look_alike_table() -> NDArray[np.int16]:
    table = np.zeros((POINTS, 2), dtype=np.int16)
    for number, group in enumerate(_groups(_LOOK_ALIKES), start=1):
        for character in group:
            place = 0 if table[ord(character), 0] == 0 else 1
            table[ord(character), place] = number
    return table


if __name__ == "__main__":
    keep(build())
