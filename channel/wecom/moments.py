"""Moments (客户朋友圈) that members publish for the corp.

https://developer.work.weixin.qq.com/document/path/95094
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient
from channel.rules import RuleBroken
from channel.wecom.attachments import (
    AttachedImage,
    AttachedLink,
    AttachedVideo,
    content_body,
)
from channel.wecom.external_contacts import EXTERNAL

LONGEST_TEXT = 2000  # bytes
MOMENTS_A_PAGE, TASKS_A_PAGE, CUSTOMERS_A_PAGE, RESULTS_A_PAGE = 20, 1000, 1000, 3000

MomentAttachment = AttachedImage | AttachedVideo | AttachedLink


@dataclass(frozen=True, slots=True)
class Moment:
    """Nine pictures, or one video, or one link. Without senders: everybody who may."""

    text: str = ""
    attachments: Sequence[MomentAttachment] = ()
    sender_userids: Sequence[str] = ()
    sender_departments: Sequence[int] = ()
    customer_tags: Sequence[str] = ()

    def body(self) -> dict[str, Any]:
        are_pictures = all(isinstance(one, AttachedImage) for one in self.attachments)
        if len(self.attachments) > 1 and not are_pictures:
            raise RuleBroken(field="附件", reason="只能是 9 张以内的图片，或一个视频，或一个链接")
        body = content_body(self.text, self.attachments, LONGEST_TEXT)
        senders: dict[str, Any] = {}
        if self.sender_userids:
            senders["user_list"] = list(self.sender_userids)
        if self.sender_departments:
            senders["department_list"] = list(self.sender_departments)
        visible: dict[str, Any] = {"sender_list": senders} if senders else {}
        if self.customer_tags:
            visible["external_contact_list"] = {"tag_list": list(self.customer_tags)}
        return body | ({"visible_range": visible} if visible else {})


class _JobId(Answer):
    jobid: str


class _InvalidSenders(Answer):
    user_list: tuple[str, ...] = ()
    department_list: tuple[int, ...] = ()


class _InvalidTags(Answer):
    tag_list: tuple[str, ...] = ()


class MomentOutcome(Answer):
    """What became of the task; the invalid ones were left out of it."""

    errcode: int = 0
    errmsg: str = ""
    moment_id: str = ""
    invalid_sender_list: _InvalidSenders = _InvalidSenders()
    invalid_external_contact_list: _InvalidTags = _InvalidTags()


class MomentJob(Answer):
    """``status``: 1 begun, 2 under way, 3 done."""

    status: int
    result: MomentOutcome | None = None


class MomentKept(Answer):
    """``create_type``: 0 the corp's, 1 a member's own. ``visible_type``: 0 some, 1 all."""

    moment_id: str
    creator: str = ""
    create_time: int = 0
    create_type: int = 0
    visible_type: int = 0
    text: dict[str, Any] = Field(default_factory=dict)
    image: tuple[dict[str, Any], ...] = ()
    video: dict[str, Any] | None = None
    link: dict[str, Any] | None = None


class MomentPage(CursorPage):
    moment_list: tuple[MomentKept, ...] = ()


class MomentTask(Answer):
    """``publish_status``: 0 not published, 1 published."""

    userid: str
    publish_status: int


class MomentTaskPage(CursorPage):
    task_list: tuple[MomentTask, ...] = ()


class MomentCustomer(Answer):
    userid: str
    external_userid: str


class MomentCustomerPage(CursorPage):
    customer_list: tuple[MomentCustomer, ...] = ()


class MomentReach(Answer):
    external_userid: str


class MomentReachPage(CursorPage):
    customer_list: tuple[MomentReach, ...] = ()


class MomentReaction(Answer):
    """A customer's (``external_userid``) or a member's (``userid``)."""

    external_userid: str | None = None
    userid: str | None = None
    create_time: int = 0


class MomentReactions(Answer):
    comment_list: tuple[MomentReaction, ...] = ()
    like_list: tuple[MomentReaction, ...] = ()


class MomentCalls(PlatformClient):
    def add_moment(self, moment: Moment) -> str:
        """A task for members; its jobid, good for 24 hours.

        https://developer.work.weixin.qq.com/document/path/95094
        """
        return read(_JobId, self._change(f"{EXTERNAL}/add_moment_task", moment.body())).jobid

    def get_moment_job(self, jobid: str) -> MomentJob:
        """https://developer.work.weixin.qq.com/document/path/95094"""
        return read(MomentJob, self._get(f"{EXTERNAL}/get_moment_task_result", {"jobid": jobid}))

    def cancel_moment(self, moment_id: str) -> None:
        """Members who have not published cannot any more.

        https://developer.work.weixin.qq.com/document/path/97612
        """
        self._change(f"{EXTERNAL}/cancel_moment_task", {"moment_id": moment_id}, is_safe=True)

    def walk_moments(
        self, start_time: int, end_time: int, creator: str = ""
    ) -> Iterator[MomentPage]:
        """Of at most 30 days.

        https://developer.work.weixin.qq.com/document/path/93333
        """
        wanted = {"start_time": start_time, "end_time": end_time, "limit": MOMENTS_A_PAGE}
        more = {"creator": creator} if creator else {}
        return self._walk(f"{EXTERNAL}/get_moment_list", MomentPage, wanted | more)

    def walk_moment_tasks(self, moment_id: str) -> Iterator[MomentTaskPage]:
        """Which members published.

        https://developer.work.weixin.qq.com/document/path/93333
        """
        body = {"moment_id": moment_id, "limit": TASKS_A_PAGE}
        return self._walk(f"{EXTERNAL}/get_moment_task", MomentTaskPage, body)

    def walk_moment_customers(self, moment_id: str, userid: str) -> Iterator[MomentCustomerPage]:
        """Who may see it, as the member chose.

        https://developer.work.weixin.qq.com/document/path/93333
        """
        body = _of_member(moment_id, userid, CUSTOMERS_A_PAGE)
        return self._walk(f"{EXTERNAL}/get_moment_customer_list", MomentCustomerPage, body)

    def walk_moment_results(self, moment_id: str, userid: str) -> Iterator[MomentReachPage]:
        """Whom it reached after it was published.

        https://developer.work.weixin.qq.com/document/path/93333
        """
        body = _of_member(moment_id, userid, RESULTS_A_PAGE)
        return self._walk(f"{EXTERNAL}/get_moment_send_result", MomentReachPage, body)

    def get_moment_reactions(self, moment_id: str, userid: str) -> MomentReactions:
        """https://developer.work.weixin.qq.com/document/path/93333"""
        body = {"moment_id": moment_id, "userid": userid}
        return read(MomentReactions, self._look_up(f"{EXTERNAL}/get_moment_comments", body))


def _of_member(moment_id: str, userid: str, limit: int) -> dict[str, Any]:
    return {"moment_id": moment_id, "userid": userid, "limit": limit}
