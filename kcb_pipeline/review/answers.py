"""What reviewers answered, kept for ever in the order it came, and what the answers to one pair add up to.

`reviews/answers.jsonl` only ever grows: an answer that is mended is a further answer, and the last of each reviewer counts. An answer
dated d binds the nights of later dates. Dates never go back, and no night is run before its date, so bringing answers in never
changes a night that stood.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock

from kcb_pipeline.errors import KcbError, UsageError
from kcb_pipeline.whole import written_whole

Said = Literal["same", "different", "unsure"]
State = Literal["open", "disputed", "same", "different", "unsure"]

WORDS: Final[dict[str, Said]] = {"是同一人": "same", "不是同一人": "different", "无法判断": "unsure"}
"""What a reviewer can choose, in the order of the list in the workbook."""


_BLANK_BESIDE_CHINESE: Final = re.compile(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])")


def reviewer_name(written: str) -> str:
    """A reviewer's name in one spelling, so that nobody counts as two who writes 张 三 today: half width, and no blanks but one between Latin words.

    >>> reviewer_name("张　三 "), reviewer_name("Ｚhang  San")
    ('张三', 'Zhang San')
    """
    return _BLANK_BESIDE_CHINESE.sub("", " ".join(unicodedata.normalize("NFKC", written).split()))


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one reviewer to one pair.

    pair: the pair's number. child_id, record_key: the child and the registry record, by what stays the same from night to night.
    record_name, record_birth_date: what the reviewer saw of the record; where neither holds any more it is another record.
    reviewer, answer, answered_on: who said what (by `reviewer_name`), and its date. sheet: digest of the workbook it came in.
    """

    pair: str
    child_id: str
    record_key: str
    record_name: str | None
    record_birth_date: dt.date | None
    reviewer: str
    answer: Said
    answered_on: dt.date
    sheet: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers to one pair add up to. `settled_on`: the date of the answer that brought it there."""

    pair: str
    state: State
    settled_on: dt.date
    answers: tuple[Answer, ...]

    @property
    def is_decided(self) -> bool:
        """Whether it binds the nights to come."""
        return self.state in ("same", "different")


def weigh(answers: Sequence[Answer], needed: int) -> dict[str, Verdict]:
    """The verdict on every pair, from the last answer of each reviewer.

    A side wins with at least `needed` answers and more than the other side has. Reviewers who differ (or of whom one cannot tell)
    leave the pair `disputed`, for one more to look at; when all who need to have looked cannot tell, it is `unsure`.
    """
    by_pair: dict[str, list[Answer]] = {}
    for answer in answers:
        by_pair.setdefault(answer.pair, []).append(answer)
    return {pair: _verdict(pair, given, needed) for pair, given in sorted(by_pair.items())}


def _verdict(pair: str, given: list[Answer], needed: int) -> Verdict:
    last: dict[str, Answer] = {}
    state: State = "open"
    settled_on = given[0].answered_on
    for answer in given:
        last[answer.reviewer] = answer
        now = _state(Counter(one.answer for one in last.values()), needed)
        if now != state:
            state, settled_on = now, answer.answered_on
    return Verdict(pair, state, settled_on, tuple(last[reviewer] for reviewer in sorted(last)))


def _state(votes: Counter[Said], needed: int) -> State:
    same, different, unsure = votes["same"], votes["different"], votes["unsure"]
    if same >= needed and same > different:
        return "same"
    if different >= needed and different > same:
        return "different"
    if unsure > same + different and unsure >= needed:
        return "unsure"
    return "disputed" if sum(count > 0 for count in (same, different, unsure)) > 1 else "open"


def binding(answers: Iterable[Answer], comparison_date: dt.date) -> list[Answer]:
    """The answers that a night of this date is bound by: those of earlier dates."""
    return [answer for answer in answers if answer.answered_on < comparison_date]


def digest(answers: Sequence[Answer]) -> str | None:
    """sha-256 over answers, as an input of a night; None where there are none."""
    if not answers:
        return None
    return hashlib.sha256("".join(_line(answer) for answer in answers).encode()).hexdigest()


# -- the file ----------------------------------------------------------------------------------------------------------


def read_answers(folder: Path) -> list[Answer]:
    """All answers in the review folder, in the order they came. KcbError where the file is not what was written."""
    path = folder / "answers.jsonl"
    if not path.exists():
        return []
    answers = []
    # Not splitlines(): a name may hold characters that it takes for ends of lines.
    for number, line in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), start=1):
        try:
            said = json.loads(line)
            born = said["record_birth_date"]
            answer = Answer(
                **{
                    **said,
                    "record_birth_date": dt.date.fromisoformat(born) if born else None,
                    "answered_on": dt.date.fromisoformat(said["answered_on"]),
                }
            )
        except (ValueError, TypeError, KeyError):
            raise KcbError(
                f"{path.name}, line {number}: not an answer as it was written; restore the file from a backup"
            ) from None
        answers.append(answer)
    return answers


def add_answers(folder: Path, new: Sequence[Answer]) -> list[Answer]:
    """Append the answers that say something new; which those were. An answer its reviewer has given last changes nothing, nor does one of a workbook
    that was brought in before: whoever brings a folder in again, with the workbook of a changed mind in it, changes it back otherwise.

    Raises UsageError where they are dated before an answer that is there already.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(folder / ".answers.lock"):
        known = read_answers(folder)
        last = {(answer.pair, answer.reviewer): answer.answer for answer in known}
        came = {(answer.pair, answer.reviewer, answer.sheet) for answer in known}
        added = []
        for answer in new:
            is_news = last.get((answer.pair, answer.reviewer)) != answer.answer
            if is_news and (answer.pair, answer.reviewer, answer.sheet) not in came:
                last[answer.pair, answer.reviewer] = answer.answer
                added.append(answer)
        if not added:
            return []
        latest = max((answer.answered_on for answer in known), default=dt.date.min)
        if min(answer.answered_on for answer in added) < latest:
            raise UsageError(f"answers are kept in the order of their dates: date these {latest} or later")
        with written_whole(folder / "answers.jsonl") as file:
            file.write("".join(_line(answer) for answer in [*known, *added]).encode())
    return added


def _line(answer: Answer) -> str:
    said = asdict(answer)
    said["answered_on"] = str(answer.answered_on)
    said["record_birth_date"] = str(answer.record_birth_date) if answer.record_birth_date else None
    return json.dumps(said, ensure_ascii=False) + "\n"
