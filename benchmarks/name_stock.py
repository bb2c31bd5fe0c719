"""The stock of names that `benchmarks.population` draws from: tokens, how often they are drawn, and how they are mistaken.

What belongs here: which tokens there are and what each may be instead of another. A name is three tokens of one vocabulary
(surname and two characters; given name, dot and father's name; clan and given name), so a name of any people is three small
integers and ten million names are one small array. No list of real people was used: surnames and characters are in the rough
order of their frequency, and frequencies follow a Zipf–Mandelbrot law fitted by eye to what is published of them (the first
surname has 8 %, the hundredth 0.2 %, the first character of a given name 4 %).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

HAN, UYGHUR, TIBETAN, YI = range(4)
"""The peoples of the benchmark: each has its own way of making a name."""

MALE, FEMALE = 0, 1
PARENTS, CHILDREN = 0, 1
"""Generations: characters that were liked around 1970 to 1995, and from 2008 to 2019."""

TOKENS_OF_A_NAME: Final = 3

_SURNAMES: Final = (
    "王 李 张 刘 陈 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 林 罗 高 郑 梁 谢 宋 唐 许 韩 冯 邓 曹 彭 曾 肖 田 董 袁 潘 于 蒋 蔡 余 杜 叶 程 苏 魏"
    " 吕 丁 任 沈 姚 卢 姜 崔 钟 谭 陆 汪 范 金 石 廖 贾 夏 韦 付 方 白 邹 孟 熊 秦 邱 江 尹 薛 闫 段 雷 侯 龙 史 陶 黎 贺 顾 毛 郝 龚 邵 万"
    " 钱 严 覃 武 戴 莫 孔 向 汤 温 康 施 文 牛 樊 葛 邢 安 齐 易 乔 伍 庞 颜 倪 庄 聂 章 鲁 岳 翟 殷 詹 申 欧 耿 关 兰 焦 俞 左 柳 甘 祝 包"
    " 宁 尚 符 舒 阮 柯 纪 梅 童 凌 毕 单 季 裴 霍 涂 成 苗 谷 盛 曲 翁 冉 骆 蓝 路 游 辛 靳 欧阳 管 柴 蒙 鲍 华 喻 祁 蒲 房 滕 屈 饶 解 牟"
    " 艾 尤 阳 时 穆 农 司 卓 古 吉 缪 简 车 项 连 芦 麦 褚 娄 窦 戚 岑 景 党 宫 费 卜 冷 晏 席 卫 米 柏 宗 瞿 桂 全 佟 应 臧 闵 苟 邬 边 卞"
    " 姬 师 和 仇 栾 隋 商 刁 沙 荣 巫 寇 桑 郎 甄 丛 仲 虞 敖 巩 明 佘 池 查 麻 苑 迟 邝 官 封 谈 匡 鞠 惠 荆 乐 冀 郁 胥 南 班 储 原 栗 燕 楚"
    " 鄢 劳 谌 奚 皮 粟 冼 蔺 楼 盘 满 闻 位 厉 伊 仝 区 郜 海 阚 花 权 强 帅 屠 豆 朴 盖 练 廉 禹 井 祖 漆 巴 丰 支 卿 国 狄 平 计 索 宣 晋 相"
    " 初 门 云 容 敬 来 扈 晁 芮 都 普 阙 浦 戈 伏 鹿 薄 邸 雍 辜 羊 阿 乌 母 裘 亓 修 邰 赫 杭 况 那 宿 鲜 印 逯 隆 茹 诺 战 慕 危 玉 银 亢 嵇"
    " 公 哈 湛 宾 戎 勾 茅 利 於 呼 居 揭 干 但 尉 冶 斯 元 束 檀 衣 信 展 阴 昝 智 幸 奉 植 衡 富 尧 闭 由 上官 司马 诸葛 夏侯 皇甫 令狐 尉迟 慕容"
)  # fmt: skip

_CHARACTERS: Final = {
    (PARENTS, MALE): (
        "军 伟 强 勇 平 明 建 国 华 文 志 海 林 峰 波 涛 斌 杰 辉 刚 鹏 超 磊 龙 飞 云 永 春 红 小 光 金 成 荣 兵 东 宏 新 俊 晓 玉 庆 德 学 生 忠"
        " 清 祥 福 亮 江 兴 松 良 富 贵 正 立 胜 全 利 洪 卫 万 民 少 宝 才 友 振 世 先 有 仁 发 武 义 安 太 树 家 中 长 根 雷 凯 鑫 旭 洋 浩 川 雄"
        " 坤 毅 健 锋 彬 敏 进 顺 贤 权 康 奎 佳 威 昌 元 培 泽 钢 剑 毛 朝 彦 继 秀 占 思 加 传 尚 启 炳 吉 方 绍 宗 满 喜 水 火 土 山 田 虎"
    ),
    (PARENTS, FEMALE): (
        "丽 芳 红 霞 燕 艳 玲 娟 敏 英 梅 静 萍 兰 秀 玉 琴 华 娜 琼 春 桂 珍 凤 云 洁 莉 慧 颖 晓 小 霞 芬 莲 蓉 雪 婷 菊 花 琳 香 美 群 平 丹"
        " 月 金 冬 翠 淑 素 彩 利 君 雯 倩 晶 蕾 媛 薇 欣 佳 海 文 爱 建 明 青 清 荣 巧 贞 莎 容 会 连 先 银 水 仙 爱 改 亚 亚 娥 惠 雅 瑞 瑛 露"
        " 璐 珊 苗 甜 瑶 双 立 娇 丹 庆 永 志 艾 俊 素 粉 小 东 京 宁 安 洋 波 勤 芝 芹 荷 萌 蓓 桃 杏 梨 竹 松 叶"
    ),
    (CHILDREN, MALE): (
        "宇 子 浩 轩 俊 梓 涵 文 杰 豪 泽 博 辰 皓 嘉 睿 天 家 一 明 佳 晨 志 航 然 鑫 昊 思 瑞 逸 铭 奕 宸 瀚 诺 熙 佑 乐 恒 凯 源 霖 阳 祥 鹏 翔 林"
        " 龙 远 成 哲 毅 扬 安 帅 涛 楷 烨 煜 彦 俞 雨 承 景 云 海 旭 东 晟 鸿 锦 宏 伟 磊 超 强 斌 飞 峰 洋 程 钰 润 腾 骏 诚 健 坤 亦 星 墨 焱 槿 沐"
        " 言 晗 桐 柏 君 森 琪 国 建 华 永 世 德 金 新 正 启 圣 翰 雷 力 弘 振 硕 绍 贤 朝 致 元 以 允 予 亮 仁 信 传 俨 信 兴 学 宁 宗 尚 展 屹 川 希 平"
        " 庆 康 延 弈 彬 彤 御 恩 懿 懋 振 政 敬 方 易 昂 昌 昕 晋 晓 景 智 曦 有 朗 杨 松 果 栋 桓 梁 棋 楚 楠 歌 武 江 泓 波 泰 津 洪 浚 淇 渊 湛 澄 灏"
        " 炎 炜 然 焕 爵 琛 琨 瑜 瑾 璟 璨 甫 皇 益 盛 知 砚 祺 禹 秉 科 立 章 童 竣 竹 笑 筠 纬 维 翊 耀 聪 胜 臻 航 艺 良 苏 荣 蔚 裕 贝 辉 达 迪 遥 邦 郅"
        " 钊 钧 铄 锐 锋 镇 长 霁 青 靖 韬 顺 颢 飏 驰 骁 高 魁 麒 麟 黎 齐"
    ),
    (CHILDREN, FEMALE): (
        "涵 梓 子 欣 雨 怡 诗 佳 语 可 馨 妍 思 萱 雅 梦 琪 婷 悦 一 若 紫 瑶 彤 嘉 静 晨 慧 芷 熙 心 桐 诺 晴 琳 玥 依 颖 艺 文 曦 菲 钰 娜 嫣 倩 蕊 璇"
        " 宁 茜 奕 君 洁 晗 薇 月 露 雪 冰 妮 萌 灵 珊 丹 宇 允 以 沐 芸 苒 婉 淑 清 舒 果 果 甜 乐 安 歆 昕 睿 恩 予 霏 霖 瑾 瑜 璐 晶 莹 莉 敏 丽 玲 燕"
        " 娟 芳 美 玉 秀 春 凤 兰 香 云 红 英 华 霞 艳 琴 蓉 莲 梅 菊 珍 花 淇 漫 澜 潇 溪 湘 沁 汐 洋 海 清 澄 淼 筱 笑 素 纯 绮 缘 羽 翎 翠 米 糖 艾 芊 芮"
        " 苏 苗 茗 茵 荷 莎 莞 菁 菡 萍 葶 蓓 蔓 蕾 蝶 裕 谨 谦 贝 贞 轩 辰 迎 连 逸 采 金 铃 铭 锦 阳 雁 雯 霜 青 靓 韵 音 颜 飘 馥 驿 鑫 鸣 鹭 麦 黛 伊 佩"
        " 俏 俪 傲 元 冉 冬 凌 凝 函 初 千 卉 双 听 吟 咏 园 圆 垚 墨 多 夏 夕 天 妙 妤 妡 妹 姗 姝 姿 娅 娇 媛 嫒 孜 宛 宜 家 容 密 小 尔 希 平 幼 庆 好 影"
    ),
}  # fmt: skip

_POPULAR: Final = {
    (PARENTS, MALE): "伟 勇 军 磊 强 杰 超 涛 波 刚 建国 建军 志强 小军 建华 志明 国强 永强 海军 建平 文军 小平 俊杰 国华 晓东 海涛 鹏飞",
    (PARENTS, FEMALE): "丽 芳 敏 静 艳 娟 霞 燕 玲 秀英 桂兰 丽娟 海燕 丽华 小红 桂英 玉兰 小燕 丽萍 春梅 晓燕 红梅 秀兰 玉梅 雪梅 美玲",
    (CHILDREN, MALE): (
        "浩宇 子轩 浩然 宇轩 子涵 梓轩 俊杰 博文 宇航 皓轩 子豪 俊熙 梓豪 浩轩 佳豪 文博 天佑 雨泽 子墨 睿 嘉豪 一鸣 俊豪 家豪 宇辰 明轩 泽宇 浩楠"
        " 志远 鑫 宇 浩 杰 昊 一诺 奕辰 梓睿 子睿 沐宸 宇泽 铭泽 俊宇 嘉乐 思源 鸿宇 天宇 浩博 智宸 煜 毅"
    ),
    (CHILDREN, FEMALE): (
        "梓涵 欣怡 诗涵 子涵 雨涵 欣妍 梓萱 可馨 佳怡 紫涵 雨欣 思涵 佳琪 梦琪 语桐 一诺 若曦 梓欣 诗琪 雨桐 欣悦 雅婷 思琪 雨萱 佳慧 静怡 子萱 可欣"
        " 语嫣 紫萱 依诺 艺涵 梦瑶 心怡 佳欣 诗雨 若涵 馨怡 雅琪 婷 雨馨 思颖 嘉欣 晨曦 静雯 悦 欣然 奕涵 钰涵 瑾萱"
    ),
}  # fmt: skip
_POPULAR_SHARE: Final = 0.14
_SINGLE_SHARE: Final = {PARENTS: 0.3, CHILDREN: 0.09}
_TAIL_SHARE: Final = 0.05
"""Given characters drawn from all the 3,755 commonest instead of those that are liked in names."""

_UYGHUR: Final = {
    MALE: (
        "买买提 艾力 吐尔逊 阿卜杜拉 玉素甫 艾合买提 伊敏 依明 阿不都热合曼 库尔班 肉孜 艾尼瓦尔 亚森 吾买尔 阿里木 热合曼 卡地尔 托合提 尼亚孜 塔依尔"
        " 伊力哈木 帕尔哈提 木合塔尔 阿迪力 艾则孜 沙吾提 努尔买买提 赛买提 阿布拉 哈力克"
    ),
    FEMALE: (
        "古丽 阿依古丽 热孜亚 帕提古丽 茹仙古丽 阿依努尔 布海丽且姆 祖丽皮亚 米热古丽 吾尔古丽 阿孜古丽 再努尔 姑丽娜 迪丽努尔 古丽巴哈尔 海尼古丽"
        " 买热木 努尔比亚 哈斯也提 玛依拉 阿米娜 沙拉买提 木亚赛尔 苏比努尔 麦尔哈巴 伊帕尔"
    ),
}  # fmt: skip
_TIBETAN: Final = {
    MALE: "扎西 多吉 次仁 丹增 平措 格桑 旺堆 洛桑 顿珠 罗布 桑珠 达瓦 尼玛 强巴 索朗 赤列 朗杰 贡布 班觉 仁青 加措 土登",
    FEMALE: "卓玛 拉姆 央金 白玛 德吉 曲珍 卓嘎 措姆 仓决 普尺 梅朵 白珍 旺姆 次仁 达瓦 尼玛 格桑 洛桑 索朗 央宗 玉珍 边巴",
}  # fmt: skip
_YI_CLANS: Final = (
    "吉克 沙马 阿尔 马海 曲比 吉木 俄木 阿苦 海来 勒格 阿俄 的日 吉伍 阿说 莫色 且沙 巴久 苏呷 阿的 吉子 瓦其 加巴"
)
_YI: Final = {
    MALE: "阿牛 木呷 尔布 石布 伍呷 日古 木且 拉且 子布 尔古 克哈 史布 阿木 日黑 拉铁 伍且 木干 尔铁 子铁 古哈 伍沙 木沙",
    FEMALE: "阿依 阿呷 伍果 阿果 石作 日洛 尔洛 阿支 子洛 伍支 木果 史洛 尔扎 阿芝 日作 木作 阿洛 伍洛 尔作 衣洛 阿英 木支",
}  # fmt: skip
_TRANSLITERATIONS: Final = (
    "买买提/麦麦提 艾力/艾利 吐尔逊/吐逊 阿卜杜拉/阿不都拉 玉素甫/玉苏普 艾合买提/艾合麦提 伊敏/依明 肉孜/如孜 艾尼瓦尔/艾尼娃尔 亚森/牙森 吾买尔/乌买尔"
    " 热合曼/热和曼 卡地尔/卡德尔 托合提/托乎提 尼亚孜/尼牙孜 塔依尔/塔伊尔 帕尔哈提/帕哈提 木合塔尔/穆合塔尔 阿迪力/阿地力 赛买提/赛麦提 古丽/姑丽"
    " 阿依古丽/阿依姑丽 热孜亚/热孜娅 帕提古丽/帕提姑丽 阿依努尔/阿依奴尔 米热古丽/米热姑丽 迪丽努尔/迪力努尔 买热木/麦热木 玛依拉/马依拉"
    " 扎西/札西 多吉/多杰 次仁/才仁 平措/彭措 罗布/洛布 索朗/索南 赤列/成列 仁青/仁钦 加措/嘉措 卓玛/志玛 央金/央珍 德吉/得吉 曲珍/曲真 梅朵/麦朵"
    " 木呷/木嘎 伍呷/五呷 阿依/阿衣 伍果/五果 日洛/日落 曲比/曲别 沙马/沙玛 海来/海莱"
)  # fmt: skip
"""One sound of another language, written two ways."""

DOTS: Final = ("·", "•", ".", "．", "・", "")
"""What stands between the parts of a Uyghur name: the one that is allowed (民委发〔2016〕33号) and what is typed instead."""


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(text.split()))


@functools.cache
def _common_characters() -> list[str]:
    """The 3,755 characters of level 1 of GB 2312, in the order of the standard."""
    return [
        bytes([0xA0 + row, 0xA0 + cell]).decode("gb2312")
        for row in range(16, 56)
        for cell in range(1, 95)
        if row < 55 or cell < 90
    ]


def zipf(count: int, *, offset: float, exponent: float) -> NDArray[np.float64]:
    """Cumulative probabilities of ranks 1 to `count` under the law of Zipf and Mandelbrot."""
    weights = (np.arange(1, count + 1) + offset) ** -exponent
    return np.cumsum(weights / weights.sum())


@dataclass(frozen=True, slots=True)
class Urn:
    """Tokens with their cumulative probabilities."""

    codes: NDArray[np.uint16]
    cumulative: NDArray[np.float64]

    def draw(self, count: int, chance: np.random.Generator) -> NDArray[np.uint16]:
        """`count` tokens, independently."""
        places = np.searchsorted(self.cumulative, chance.random(count, dtype=np.float32), side="right")
        return self.codes[np.minimum(places, len(self.codes) - 1)]


@dataclass(frozen=True, slots=True)
class NameStock:
    """The vocabulary and how it is drawn from; built once a process by `stock`.

    tokens: the text of each token; token 0 is empty. sounds: characters by sound, first those liked in names, then the common
        ones. other_spelling: another spelling of the same foreign sound, 0 for none.
    surnames, given, pairs, common: urns; `pairs` holds whole given names as two columns. dots: the tokens of `DOTS`.
    """

    tokens: list[str]
    sounds: tuple[SoundGroups, ...]
    other_spelling: NDArray[np.uint16]
    surnames: Urn
    given: dict[tuple[int, int], Urn]
    pairs: dict[tuple[int, int], tuple[NDArray[np.uint16], NDArray[np.float64]]]
    common: Urn
    uyghur: dict[int, Urn]
    tibetan: dict[int, Urn]
    clans: Urn
    yi: dict[int, Urn]
    dots: NDArray[np.uint16]

    def names(
        self,
        people: NDArray[np.int8],
        sex: NDArray[np.int8],
        generation: int,
        family: NDArray[np.uint16],
        father: NDArray[np.uint16],
        chance: np.random.Generator,
    ) -> NDArray[np.uint16]:
        """A name for each person: shape (persons, 3).

        family: the surname or clan each is given (0: one of their own). father: the first token of the father's name, which
        Uyghur children bear after the dot (0: somebody's).
        """
        result = np.zeros((len(people), TOKENS_OF_A_NAME), dtype=np.uint16)
        for gender in (MALE, FEMALE):
            rows = np.flatnonzero((people == HAN) & (sex == gender))
            result[rows, 0] = np.where(family[rows] > 0, family[rows], self.surnames.draw(len(rows), chance))
            result[rows, 1:] = self._han_given(len(rows), generation, gender, chance)
            rows = np.flatnonzero((people == UYGHUR) & (sex == gender))
            result[rows, 0] = self.uyghur[gender].draw(len(rows), chance)
            result[rows, 1] = self.dots[0]
            result[rows, 2] = np.where(father[rows] > 0, father[rows], self.uyghur[MALE].draw(len(rows), chance))
            rows = np.flatnonzero((people == TIBETAN) & (sex == gender))
            result[rows, 0] = self.tibetan[gender].draw(len(rows), chance)
            result[rows, 1] = self.tibetan[gender].draw(len(rows), chance)
            rows = np.flatnonzero((people == YI) & (sex == gender))
            result[rows, 0] = np.where(family[rows] > 0, family[rows], self.clans.draw(len(rows), chance))
            result[rows, 1] = self.yi[gender].draw(len(rows), chance)
        return result

    def _han_given(self, count: int, generation: int, sex: int, chance: np.random.Generator) -> NDArray[np.uint16]:
        urn = self.given[generation, sex]
        given = np.column_stack([urn.draw(count, chance), urn.draw(count, chance)])
        kind = chance.random(count, dtype=np.float32)
        given[kind < _SINGLE_SHARE[generation], 1] = 0
        popular = np.flatnonzero(kind > 1 - _POPULAR_SHARE)
        pairs, cumulative = self.pairs[generation, sex]
        drawn = np.searchsorted(cumulative, chance.random(len(popular), dtype=np.float32), side="right")
        given[popular] = pairs[np.minimum(drawn, len(pairs) - 1)]
        return given

    def homophones(self, tokens: NDArray[np.uint16], chance: np.random.Generator) -> NDArray[np.uint16]:
        """Another token of the same sound for each, one that is liked in names if there is one; 0 where there is none at all."""
        others = self.other_spelling[tokens].copy()
        for group in self.sounds:
            places = np.flatnonzero(others == 0)
            others[places] = group.another(tokens[places], chance)
        return others


@dataclass(frozen=True, slots=True)
class SoundGroups:
    """Characters in groups of one toneless sound.

    sound: the group of every token of the vocabulary, -1 for those that are no single character. members: the characters
    group by group; start: where each group begins; place: the place among the members of every token, -1 where it is none.
    """

    sound: NDArray[np.int32]
    members: NDArray[np.uint16]
    start: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, sound: NDArray[np.int32], characters: NDArray[np.uint16]) -> SoundGroups:
        """The groups among `characters`."""
        members = characters[np.argsort(sound[characters], kind="stable")]
        place = np.full(len(sound), -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        return cls(sound, members, np.searchsorted(sound[members], np.arange(int(sound.max()) + 2)), place)

    def another(self, tokens: NDArray[np.uint16], chance: np.random.Generator) -> NDArray[np.uint16]:
        """Another member of the group of each token, each equally likely; 0 where there is none."""
        sound = np.maximum(self.sound[tokens], 0)
        start, size = self.start[sound], self.start[sound + 1] - self.start[sound]
        inside = self.place[tokens] >= 0
        others = size - inside
        step = (chance.random(len(tokens)) * others).astype(np.int64)
        here = np.where(inside, self.place[tokens] - start, size)
        picked = step + (step >= here)  # the token itself is passed over
        has = (self.sound[tokens] >= 0) & (others > 0)
        return np.where(has, self.members[np.where(has, start + picked, 0)], 0).astype(np.uint16)


@functools.cache
def stock() -> NameStock:
    """The stock, built once a process."""
    codes: dict[str, int] = {"": 0}

    def coded(words: list[str]) -> NDArray[np.uint16]:
        return np.array([codes.setdefault(word, len(codes)) for word in words], dtype=np.uint16)

    def urn(words: list[str], *, offset: float, exponent: float) -> Urn:
        return Urn(coded(words), zipf(len(words), offset=offset, exponent=exponent))

    surnames = urn(_words(_SURNAMES), offset=4, exponent=1.25)
    common = urn(_common_characters(), offset=0, exponent=0)
    given: dict[tuple[int, int], Urn] = {}
    for key, text in _CHARACTERS.items():
        fond = urn(_words(text), offset=8, exponent=1.1)
        tail = 1 - _TAIL_SHARE + _TAIL_SHARE * common.cumulative
        given[key] = Urn(
            np.concatenate([fond.codes, common.codes]),
            np.concatenate([fond.cumulative * (1 - _TAIL_SHARE), tail]),
        )
    pairs = {}
    for key, text in _POPULAR.items():
        names = _words(text)
        columns = [coded([name[place] if place < len(name) else "" for name in names]) for place in (0, 1)]
        pairs[key] = (np.column_stack(columns), zipf(len(names), offset=3, exponent=0.9))
    uyghur = {sex: urn(_words(text), offset=3, exponent=0.9) for sex, text in _UYGHUR.items()}
    tibetan = {sex: urn(_words(text), offset=3, exponent=0.8) for sex, text in _TIBETAN.items()}
    clans = urn(_words(_YI_CLANS), offset=5, exponent=0.8)
    yi = {sex: urn(_words(text), offset=5, exponent=0.8) for sex, text in _YI.items()}
    dots = coded(list(DOTS))
    spellings = [
        (coded([one])[0], coded([other])[0]) for one, other in (w.split("/") for w in _TRANSLITERATIONS.split())
    ]
    tokens = list(codes)
    is_character = np.array([len(token) == 1 and "\u4e00" <= token <= "\u9fff" for token in tokens])
    other_spelling = np.zeros(len(tokens), dtype=np.uint16)
    for one, other in spellings:
        other_spelling[one], other_spelling[other] = other, one
    sound = _sounds(tokens, is_character)
    liked = np.unique(np.concatenate([drawn.codes[: -len(common.codes)] for drawn in given.values()]))
    sounds = tuple(SoundGroups.of(sound, characters) for characters in (liked, common.codes))
    return NameStock(tokens, sounds, other_spelling, surnames, given, pairs, common, uyghur, tibetan, clans, yi, dots)


def _sounds(tokens: list[str], is_character: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The number of the toneless sound of each single character, by its commonest reading; -1 for all other tokens."""
    from pypinyin import Style, pinyin

    sounds: dict[str, int] = {}
    numbers = np.full(len(tokens), -1, dtype=np.int32)
    for code in np.flatnonzero(is_character):
        reading = pinyin(tokens[code], style=Style.NORMAL)[0][0]
        numbers[code] = sounds.setdefault(reading, len(sounds))
    return numbers
