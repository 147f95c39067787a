"""Customers whom members have added, and what is known of them.

https://developer.work.weixin.qq.com/document/path/92109
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient
from channel.rules import chars_at_most, some

EXTERNAL = "/cgi-bin/externalcontact"
MOST_MEMBERS, CONTACTS_A_PAGE = 100, 100
LONGEST_REMARK, LONGEST_COMPANY, LONGEST_DESCRIPTION = 20, 20, 150


class ExternalContact(Answer):
    """``type``: 1 a WeChat user, 2 a member of another corp. ``unionid`` needs an open platform."""

    external_userid: str
    name: str = Field(default="", repr=False)
    avatar: str = Field(default="", repr=False)
    type: int = 1
    gender: int = 0
    unionid: str | None = None
    position: str = ""
    corp_name: str = ""
    corp_full_name: str = ""


class FollowTag(Answer):
    """``type``: 1 the corp's, 2 the member's own, 3 of a rule."""

    tag_id: str | None = None
    tag_name: str = ""
    group_name: str = ""
    type: int = 1


class Follow(Answer):
    """How one member knows a customer. ``state`` is that of our link or code."""

    userid: str
    remark: str = Field(default="", repr=False)
    description: str = Field(default="", repr=False)
    createtime: int = 0
    tags: tuple[FollowTag, ...] = ()
    tag_id: tuple[str, ...] = ()  # of a batch: ids of the corp's tags only
    remark_mobiles: tuple[str, ...] = Field(default=(), repr=False)
    remark_corp_name: str = ""
    oper_userid: str = ""
    add_way: int = 0
    state: str = ""


class ContactPage(CursorPage):
    """One customer with the members who follow them; more than 500 come in pages."""

    external_contact: ExternalContact
    follow_user: tuple[Follow, ...] = ()


class ContactOfMember(Answer):
    external_contact: ExternalContact
    follow_info: Follow


class _FailInfo(Answer):
    unlicensed_userid_list: tuple[str, ...] = ()


class ContactBatch(CursorPage):
    """``fail_info`` names members without a licence, whose customers are missing here."""

    external_contact_list: tuple[ContactOfMember, ...] = ()
    fail_info: _FailInfo = _FailInfo()


class _FollowUsers(Answer):
    follow_user: tuple[str, ...] = ()


class _ExternalUserids(Answer):
    external_userid: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """What a member notes; None leaves it as it is. ``mobiles`` replaces all of them."""

    remark: str | None = None
    description: str | None = None
    company: str | None = None
    mobiles: Sequence[str] | None = None

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.remark is not None:
            body["remark"] = chars_at_most("备注", self.remark, LONGEST_REMARK)
        if self.description is not None:
            body["description"] = chars_at_most("描述", self.description, LONGEST_DESCRIPTION)
        if self.company is not None:
            body["remark_company"] = chars_at_most("公司备注", self.company, LONGEST_COMPANY)
        if self.mobiles is not None:
            body["remark_mobiles"] = list(self.mobiles)
        return body


class BehaviourDay(Answer):
    """A day's figures of the members asked about together; times in minutes."""

    stat_time: int
    chat_cnt: int = 0
    message_cnt: int = 0
    reply_percentage: float | None = None
    avg_reply_time: int | None = None
    negative_feedback_cnt: int = 0
    new_apply_cnt: int = 0
    new_contact_cnt: int = 0


class _Behaviour(Answer):
    behavior_data: tuple[BehaviourDay, ...]


class FoundByUnionid(Answer):
    """``pending_id`` (90 days) stands for somebody who is no customer yet."""

    external_userid: str | None = None
    pending_id: str | None = None


class _Openid(Answer):
    openid: str


class ContactCalls(PlatformClient):
    def list_follow_users(self) -> tuple[str, ...]:
        """Members who may have customers, as far as the app sees them.

        https://developer.work.weixin.qq.com/document/path/92571
        """
        return read(_FollowUsers, self._get(f"{EXTERNAL}/get_follow_user_list")).follow_user

    def list_contacts(self, userid: str) -> tuple[str, ...]:
        """A member's customers; WeChatError 84061 when there are none.

        https://developer.work.weixin.qq.com/document/path/92113
        """
        answer = self._get(f"{EXTERNAL}/list", {"userid": userid})
        return read(_ExternalUserids, answer).external_userid

    def get_contact(self, external_userid: str, cursor: str = "") -> ContactPage:
        """https://developer.work.weixin.qq.com/document/path/92114"""
        params = {"external_userid": external_userid} | ({"cursor": cursor} if cursor else {})
        return read(ContactPage, self._get(f"{EXTERNAL}/get", params))

    def walk_follows(self, external_userid: str) -> Iterator[ContactPage]:
        """All pages of one customer's members.

        https://developer.work.weixin.qq.com/document/path/92114
        """
        return self._pages(
            lambda cursor: self.get_contact(external_userid, cursor),
            lambda page: page.next_cursor,
        )

    def walk_contacts_of(self, userids: Sequence[str]) -> Iterator[ContactBatch]:
        """Customers of up to 100 members with details, page after page.

        https://developer.work.weixin.qq.com/document/path/92994
        """
        asked = some("成员", userids, MOST_MEMBERS)
        body = {"userid_list": asked, "limit": CONTACTS_A_PAGE}
        return self._walk(f"{EXTERNAL}/batch/get_by_user", ContactBatch, body)

    def set_remark(self, userid: str, external_userid: str, remark: Remark) -> None:
        """https://developer.work.weixin.qq.com/document/path/92115"""
        body = {"userid": userid, "external_userid": external_userid, **remark.body()}
        self._change(f"{EXTERNAL}/remark", body, is_safe=True)

    def get_behaviour(
        self, userids: Sequence[str], start_time: int, end_time: int
    ) -> tuple[BehaviourDay, ...]:
        """Whole days of the last 180, at most 30 of them; early in the morning none of yesterday.

        https://developer.work.weixin.qq.com/document/path/92132
        """
        body = {
            "userid": some("成员", userids, MOST_MEMBERS),
            "start_time": start_time,
            "end_time": end_time,
        }
        answer = self._look_up(f"{EXTERNAL}/get_user_behavior_data", body)
        return read(_Behaviour, answer).behavior_data

    # --- whose openid is this? --------------------------------------------------------------

    def find_by_unionid(self, unionid: str, openid: str, subject_type: int = 0) -> FoundByUnionid:
        """``subject_type``: 0 the official account is the corp's own, 1 a provider's.

        https://developer.work.weixin.qq.com/document/path/97108
        """
        body = {"unionid": unionid, "openid": openid, "subject_type": subject_type}
        answer = self._look_up("/cgi-bin/idconvert/unionid_to_external_userid", body)
        return read(FoundByUnionid, answer)

    def find_contact_by_unionid(self, unionid: str, openid: str) -> FoundByUnionid:
        """https://developer.work.weixin.qq.com/document/path/93274"""
        body = {"unionid": unionid, "openid": openid}
        return read(FoundByUnionid, self._look_up(f"{EXTERNAL}/unionid_to_external_userid", body))

    def get_openid_of_contact(self, external_userid: str) -> str:
        """https://developer.work.weixin.qq.com/document/path/92323"""
        body = {"external_userid": external_userid}
        return read(_Openid, self._look_up(f"{EXTERNAL}/convert_to_openid", body)).openid
