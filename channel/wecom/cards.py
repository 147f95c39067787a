"""Template cards: five kinds of card that an app sends to members.

https://developer.work.weixin.qq.com/document/path/90236#模板卡片消息
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from channel.rules import RuleBroken, at_most, bytes_at_most, need, some

_TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
MOST_ROWS, MOST_JUMPS, MOST_BUTTONS = 6, 3, 6
MOST_CHOICES, MOST_VOTES, MOST_QUESTIONS = 10, 20, 3
LONGEST_KEY = 1024  # bytes
OPENS_PAGE, OPENS_MINIPROGRAM = 1, 2
SHOWS_MEMBER = 3


@dataclass(frozen=True, slots=True)
class Page:
    """Where a tap leads: an address, or a page of a mini-program that the corp bound."""

    url: str = ""
    appid: str = ""
    pagepath: str = ""

    def body(self) -> dict[str, Any]:
        if self.appid:
            return {"type": OPENS_MINIPROGRAM, "appid": self.appid, "pagepath": self.pagepath}
        return {"type": OPENS_PAGE, "url": need("链接", self.url)}


@dataclass(frozen=True, slots=True)
class Jump:
    title: str
    page: Page

    def body(self) -> dict[str, Any]:
        return {"title": need("跳转文字", self.title), **self.page.body()}


@dataclass(frozen=True, slots=True)
class Row:
    """A name with its value; the value may be a member, whose card opens."""

    name: str
    value: str = ""
    url: str = ""
    userid: str = ""

    def body(self) -> dict[str, Any]:
        row: dict[str, Any] = {"keyname": need("行标题", self.name), "value": self.value}
        if self.url:
            return row | {"type": OPENS_PAGE, "url": self.url}
        if self.userid:
            return row | {"type": SHOWS_MEMBER, "userid": self.userid}
        return row


@dataclass(frozen=True, slots=True)
class Button:
    """``style``: 1 blue, 2 red text, 3 grey, 4 red. ``key`` comes back with the tap."""

    text: str
    key: str
    style: int = 1

    def body(self) -> dict[str, Any]:
        return {
            "text": need("按钮文字", self.text),
            "key": bytes_at_most("按钮", need("按钮", self.key), LONGEST_KEY),
            "style": self.style,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """``choices``: id → what the member reads."""

    key: str
    choices: Sequence[tuple[str, str]]
    title: str = ""
    chosen: str = ""

    def body(self, most: int) -> dict[str, Any]:
        choices = some("选项", self.choices, most)
        body: dict[str, Any] = {
            "question_key": need("问题", self.key),
            "option_list": [{"id": id_, "text": text} for id_, text in choices],
        }
        if self.title:
            body["title"] = self.title
        if self.chosen:
            body["selected_id"] = self.chosen
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCard(ABC):
    """``task_id`` is ours, unique in the app, and comes back with every tap."""

    card_type: ClassVar[str]
    needs_task_id: ClassVar[bool] = False

    title: str = ""
    description: str = ""
    source: str = ""
    rows: Sequence[Row] = ()
    jumps: Sequence[Jump] = ()
    page: Page | None = None
    task_id: str = ""

    def body(self) -> dict[str, Any]:
        card: dict[str, Any] = {"card_type": self.card_type}
        if self.source:
            card["source"] = {"desc": self.source}
        if self.title or self.description:
            card["main_title"] = {"title": self.title, "desc": self.description}
        if self.rows:
            rows = at_most("卡片行", self.rows, MOST_ROWS)
            card["horizontal_content_list"] = [row.body() for row in rows]
        if self.jumps:
            jumps = at_most("卡片跳转", self.jumps, MOST_JUMPS)
            card["jump_list"] = [jump.body() for jump in jumps]
        if self.page:
            card["card_action"] = self.page.body()
        return {"msgtype": "template_card", "template_card": card | self._task() | self._own()}

    def _task(self) -> dict[str, str]:
        if not self.task_id and not self.needs_task_id:
            return {}
        if not _TASK_ID.fullmatch(self.task_id):
            raise RuleBroken(field="卡片任务号", reason="只能有 128 个以内的字母、数字和 _-@")
        return {"task_id": self.task_id}

    @abstractmethod
    def _own(self) -> dict[str, Any]:
        """What only this kind of card has; refuses what it cannot do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNotice(TemplateCard):
    """``emphasis`` is what is shown large, with a word about it."""

    card_type = "text_notice"

    subtitle: str = ""
    emphasis: tuple[str, str] | None = None

    def _own(self) -> dict[str, Any]:
        _need_page(self)
        if not (self.title or self.subtitle):
            raise RuleBroken(field="卡片标题", reason="不能为空")
        own: dict[str, Any] = {"sub_title_text": self.subtitle} if self.subtitle else {}
        if self.emphasis:
            own["emphasis_content"] = {"title": self.emphasis[0], "desc": self.emphasis[1]}
        return own


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsNotice(TemplateCard):
    card_type = "news_notice"

    picture_url: str

    def _own(self) -> dict[str, Any]:
        _need_page(self)
        need("卡片标题", self.title)
        return {"card_image": {"url": need("卡片图片", self.picture_url)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonCard(TemplateCard):
    """Up to six buttons, of which a member may tap one."""

    card_type, needs_task_id = "button_interaction", True

    buttons: Sequence[Button]
    question: Question | None = None
    subtitle: str = ""

    def _own(self) -> dict[str, Any]:
        need("卡片标题", self.title)
        buttons = [button.body() for button in some("按钮", self.buttons, MOST_BUTTONS)]
        _refuse_twins("按钮", [button["key"] for button in buttons])
        own: dict[str, Any] = {"button_list": buttons}
        if self.question:
            own["button_selection"] = self.question.body(MOST_CHOICES)
        return own | ({"sub_title_text": self.subtitle} if self.subtitle else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCard(TemplateCard):
    """Up to twenty choices, one or (``is_several``) more of them ticked."""

    card_type, needs_task_id = "vote_interaction", True

    question: Question
    submit: Button
    is_several: bool = False

    def _own(self) -> dict[str, Any]:
        need("卡片标题", self.title)
        checkbox = self.question.body(MOST_VOTES) | {"mode": int(self.is_several)}
        return {"checkbox": checkbox, "submit_button": _submit(self.submit)}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsCard(TemplateCard):
    """Up to three questions, each with a list to choose from."""

    card_type, needs_task_id = "multiple_interaction", True

    questions: Sequence[Question]
    submit: Button = field(default=Button("提交", "submit"))

    def _own(self) -> dict[str, Any]:
        need("卡片标题", self.title)
        questions = [one.body(MOST_CHOICES) for one in some("问题", self.questions, MOST_QUESTIONS)]
        _refuse_twins("问题", [one["question_key"] for one in questions])
        return {"select_list": questions, "submit_button": _submit(self.submit)}


def _submit(button: Button) -> dict[str, Any]:
    return {key: value for key, value in button.body().items() if key != "style"}


def _need_page(card: TemplateCard) -> None:
    if card.page is None:
        raise RuleBroken(field="卡片跳转", reason="不能为空")


def _refuse_twins(what: str, keys: Sequence[str]) -> None:
    if len(set(keys)) < len(keys):
        raise RuleBroken(field=what, reason="重复")
