"""Messages to customers: the welcome, and messages that members confirm (企业群发).

https://developer.work.weixin.qq.com/document/path/92135
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient
from channel.rules import RuleBroken, at_most, bytes_at_most
from channel.wecom.attachments import (
    AttachedFile,
    AttachedImage,
    AttachedLink,
    AttachedMiniprogram,
    AttachedVideo,
    Attachment,
    content_body,
)
from channel.wecom.external_contacts import EXTERNAL

MOST_CUSTOMERS, MOST_CHATS = 10_000, 2_000
MOST_TAG_GROUPS_TAGS = 100
TASKS_A_PAGE, RESULTS_A_PAGE, MESSAGES_A_PAGE = 1000, 500, 100
LONGEST_GROUP_WELCOME = 3000  # bytes
WELCOME_TEMPLATE = f"{EXTERNAL}/group_welcome_template"


class ChatType(StrEnum):
    SINGLE = "single"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class GroupMessage:
    """A task for members: nothing goes out before each of them confirms.

    ``tags``: groups of tag ids; a customer needs one of each group. ``sender`` is the member
    whose customers or groups are meant; needed for groups and for tags.
    """

    text: str = ""
    attachments: Sequence[Attachment] = ()
    chat_type: ChatType = ChatType.SINGLE
    external_userids: Sequence[str] = ()
    chat_ids: Sequence[str] = ()
    tags: Sequence[Sequence[str]] = ()
    sender: str = ""
    may_select: bool = False

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"chat_type": self.chat_type.value}
        if self.external_userids:
            body["external_userid"] = at_most("客户", self.external_userids, MOST_CUSTOMERS)
        if self.chat_ids:
            body["chat_id_list"] = at_most("客户群", self.chat_ids, MOST_CHATS)
        if self.tags:
            groups = [at_most("标签", group, MOST_TAG_GROUPS_TAGS) for group in self.tags]
            body["tag_filter"] = {"group_list": [{"tag_list": group} for group in groups]}
        if self.sender:
            body["sender"] = self.sender
        if not (self.external_userids or self.sender):
            raise RuleBroken(field="接收客户", reason="不能为空")
        return {
            **body,
            "allow_select": self.may_select,
            **content_body(self.text, self.attachments),
        }


class GroupMessageMade(Answer):
    """``fail_list``: customers whom nobody can write to, or who got enough this month."""

    msgid: str
    fail_list: tuple[str, ...] = ()


class GroupMessageKept(Answer):
    """``create_type``: 0 the corp's, 1 a member's own."""

    msgid: str
    creator: str = ""
    create_time: int = 0
    create_type: int = 0
    text: dict[str, Any] = Field(default_factory=dict)
    attachments: tuple[dict[str, Any], ...] = ()


class GroupMessagePage(CursorPage):
    group_msg_list: tuple[GroupMessageKept, ...] = ()


class MemberTask(Answer):
    """``status``: 0 not confirmed, 2 sent."""

    userid: str
    status: int
    send_time: int = 0


class TaskPage(CursorPage):
    task_list: tuple[MemberTask, ...] = ()


class SendResult(Answer):
    """``status``: 0 not sent, 1 sent, 2 no longer a friend, 3 had another message already."""

    userid: str
    status: int
    external_userid: str = ""
    chat_id: str = ""
    send_time: int = 0


class ResultPage(CursorPage):
    send_list: tuple[SendResult, ...] = ()


class _TemplateId(Answer):
    template_id: str


class GroupWelcomeKept(Answer):
    text: dict[str, Any] = Field(default_factory=dict)
    image: dict[str, Any] | None = None
    link: dict[str, Any] | None = None
    miniprogram: dict[str, Any] | None = None
    file: dict[str, Any] | None = None
    video: dict[str, Any] | None = None


GroupWelcomeAttachment = (
    AttachedImage | AttachedLink | AttachedMiniprogram | AttachedFile | AttachedVideo
)


@dataclass(frozen=True, slots=True)
class GroupWelcome:
    """What somebody who joins a group is told: a text, and one thing beside it."""

    text: str = ""
    attachment: GroupWelcomeAttachment | None = None

    def body(self) -> dict[str, Any]:
        if not (self.text.strip() or self.attachment):
            raise RuleBroken(field="欢迎语", reason="不能为空")
        body: dict[str, Any] = {}
        if self.text.strip():
            text = bytes_at_most("欢迎语", self.text, LONGEST_GROUP_WELCOME)
            body["text"] = {"content": text}
        if self.attachment:
            attached = self.attachment.body()
            body[attached["msgtype"]] = attached[attached["msgtype"]]
        return body


class OutreachCalls(PlatformClient):
    def send_welcome(
        self, welcome_code: str, text: str, attachments: Sequence[Attachment] = ()
    ) -> None:
        """Within 20 seconds of the event, and once: a second app gets WeChatError 41096.

        https://developer.work.weixin.qq.com/document/path/92137
        """
        body = {"welcome_code": welcome_code, **content_body(text, attachments)}
        self._change(f"{EXTERNAL}/send_welcome_msg", body)

    # --- messages that members confirm ------------------------------------------------------

    def add_group_message(self, message: GroupMessage) -> GroupMessageMade:
        """https://developer.work.weixin.qq.com/document/path/92135"""
        answer = self._change(f"{EXTERNAL}/add_msg_template", message.body())
        return read(GroupMessageMade, answer)

    def walk_group_messages(
        self, chat_type: ChatType, start_time: int, end_time: int, creator: str = ""
    ) -> Iterator[GroupMessagePage]:
        """Of at most a month.

        https://developer.work.weixin.qq.com/document/path/93338
        """
        wanted = {
            "chat_type": chat_type.value,
            "start_time": start_time,
            "end_time": end_time,
            "limit": MESSAGES_A_PAGE,
        } | ({"creator": creator} if creator else {})
        return self._walk(f"{EXTERNAL}/get_groupmsg_list_v2", GroupMessagePage, wanted)

    def walk_group_message_tasks(self, msgid: str) -> Iterator[TaskPage]:
        """Which members confirmed. WeChatError 41063 right after it was made.

        https://developer.work.weixin.qq.com/document/path/93338
        """
        body = {"msgid": msgid, "limit": TASKS_A_PAGE}
        return self._walk(f"{EXTERNAL}/get_groupmsg_task", TaskPage, body)

    def walk_group_message_results(self, msgid: str, userid: str) -> Iterator[ResultPage]:
        """What one member's customers got.

        https://developer.work.weixin.qq.com/document/path/93338
        """
        body = {"msgid": msgid, "userid": userid, "limit": RESULTS_A_PAGE}
        return self._walk(f"{EXTERNAL}/get_groupmsg_send_result", ResultPage, body)

    def remind_of_group_message(self, msgid: str) -> None:
        """At most three times in 24 hours.

        https://developer.work.weixin.qq.com/document/path/97610
        """
        self._change(f"{EXTERNAL}/remind_groupmsg_send", {"msgid": msgid})

    def cancel_group_message(self, msgid: str) -> None:
        """Members who have not confirmed cannot any more.

        https://developer.work.weixin.qq.com/document/path/97611
        """
        self._change(f"{EXTERNAL}/cancel_groupmsg_send", {"msgid": msgid}, is_safe=True)

    # --- the welcome of a group -------------------------------------------------------------

    def add_group_welcome(self, welcome: GroupWelcome, *, notifies: bool = False) -> str:
        """``notifies``: owners are told of it. The template's id.

        https://developer.work.weixin.qq.com/document/path/92366
        """
        body = {**welcome.body(), "notify": int(notifies)}
        return read(_TemplateId, self._change(f"{WELCOME_TEMPLATE}/add", body)).template_id

    def edit_group_welcome(self, template_id: str, welcome: GroupWelcome) -> None:
        """https://developer.work.weixin.qq.com/document/path/92366"""
        body = {"template_id": template_id, **welcome.body()}
        self._change(f"{WELCOME_TEMPLATE}/edit", body, is_safe=True)

    def get_group_welcome(self, template_id: str) -> GroupWelcomeKept:
        """https://developer.work.weixin.qq.com/document/path/92366"""
        answer = self._look_up(f"{WELCOME_TEMPLATE}/get", {"template_id": template_id})
        return read(GroupWelcomeKept, answer)

    def delete_group_welcome(self, template_id: str) -> None:
        """https://developer.work.weixin.qq.com/document/path/92366"""
        self._change(f"{WELCOME_TEMPLATE}/del", {"template_id": template_id})
