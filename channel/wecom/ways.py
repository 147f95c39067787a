"""Ways to us: a code for adding a member, one for joining a group, a link for new customers.

https://developer.work.weixin.qq.com/document/path/92228
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient
from channel.rules import at_most, chars_at_most, need, some
from channel.wecom.external_contacts import EXTERNAL

LONGEST_STATE, LONGEST_REMARK, LONGEST_LINK_NAME = 30, 30, 30
MOST_MEMBERS, MOST_LINK_MEMBERS, MOST_GROUPS = 100, 500, 5
WAYS_A_PAGE, LINKS_A_PAGE, CUSTOMERS_A_PAGE = 1000, 100, 1000
ONE_MEMBER, SEVERAL_MEMBERS = 1, 2
IN_MINIPROGRAM, AS_QR_CODE = 1, 2

ACQUISITION = f"{EXTERNAL}/customer_acquisition"
JOIN_WAY = f"{EXTERNAL}/groupchat"


@dataclass(frozen=True, slots=True)
class ContactWay:
    """A code that adds one of ``userids``; ``state`` (≤ 30 characters) comes with the event.

    ``is_exclusive``: a customer who already has one of the members is led to that one.
    """

    userids: Sequence[str] = ()
    partyids: Sequence[int] = ()
    state: str = ""
    remark: str = ""
    skips_verify: bool = True
    is_exclusive: bool = False

    def body(self) -> dict[str, Any]:
        userids = at_most("成员", self.userids, MOST_MEMBERS)
        is_one = len(userids) == 1 and not self.partyids
        return {
            "type": ONE_MEMBER if is_one else SEVERAL_MEMBERS,
            "scene": AS_QR_CODE,
            "user": userids,
            "party": list(self.partyids),
            "state": chars_at_most("来源标识", self.state, LONGEST_STATE),
            "remark": chars_at_most("备注", self.remark, LONGEST_REMARK),
            "skip_verify": self.skips_verify,
            "is_exclusive": self.is_exclusive,
        }


class ContactWayAdded(Answer):
    config_id: str
    qr_code: str = ""


class ContactWayKept(Answer):
    config_id: str
    type: int = SEVERAL_MEMBERS
    scene: int = AS_QR_CODE
    state: str = ""
    remark: str = ""
    skip_verify: bool = True
    qr_code: str = ""
    user: tuple[str, ...] = ()
    party: tuple[int, ...] = ()


class _ContactWay(Answer):
    contact_way: ContactWayKept


class _ConfigId(Answer):
    config_id: str


class ContactWayPage(CursorPage):
    """Only those made since July 2021."""

    contact_way: tuple[_ConfigId, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinWay:
    """A code for joining one of up to five groups; full ones are followed by a new one."""

    chat_ids: Sequence[str]
    state: str = ""
    remark: str = ""
    makes_new_rooms: bool = True
    room_name: str = ""
    first_room_number: int = 1

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "scene": AS_QR_CODE,
            "chat_id_list": some("客户群", self.chat_ids, MOST_GROUPS),
            "state": chars_at_most("来源标识", self.state, LONGEST_STATE),
            "remark": chars_at_most("备注", self.remark, LONGEST_REMARK),
            "auto_create_room": int(self.makes_new_rooms),
        }
        if self.makes_new_rooms:
            body |= {"room_base_name": self.room_name, "room_base_id": self.first_room_number}
        return body


class JoinWayKept(Answer):
    config_id: str
    scene: int = AS_QR_CODE
    state: str = ""
    remark: str = ""
    chat_id_list: tuple[str, ...] = ()
    auto_create_room: bool = False
    room_base_name: str = ""
    room_base_id: int = 1
    qr_code: str = ""


class _JoinWay(Answer):
    join_way: JoinWayKept


class AcquisitionLink(Answer):
    link_id: str
    link_name: str = ""
    url: str = ""
    create_time: int = 0


class _Link(Answer):
    link: AcquisitionLink


class _LinkIds(CursorPage):
    link_id_list: tuple[str, ...] = ()


class AcquisitionRange(Answer):
    user_list: tuple[str, ...] = ()
    department_list: tuple[int, ...] = ()


class AcquisitionDetail(Answer):
    link: AcquisitionLink
    range: AcquisitionRange = AcquisitionRange()


class AcquiredCustomer(Answer):
    """``chat_status``: 0 silent, 1 spoke to the member, 2 spoke, and the day is not over."""

    external_userid: str
    userid: str
    chat_status: int = 0
    state: str = ""


class AcquiredPage(CursorPage):
    customer_list: tuple[AcquiredCustomer, ...] = ()


class AcquisitionFigures(Answer):
    click_link_customer_cnt: int = 0
    new_customer_cnt: int = 0


class AcquisitionQuota(Answer):
    """How many customers may still be won, of how many bought."""

    total: int
    balance: int
    quota_list: tuple[dict[str, Any], ...] = Field(default=())


class WayCalls(PlatformClient):
    # --- contact ways -----------------------------------------------------------------------

    def add_contact_way(self, way: ContactWay) -> ContactWayAdded:
        """https://developer.work.weixin.qq.com/document/path/92228"""
        answer = self._change(f"{EXTERNAL}/add_contact_way", way.body())
        return read(ContactWayAdded, answer)

    def get_contact_way(self, config_id: str) -> ContactWayKept:
        """https://developer.work.weixin.qq.com/document/path/92228"""
        answer = self._look_up(f"{EXTERNAL}/get_contact_way", {"config_id": config_id})
        return read(_ContactWay, answer).contact_way

    def walk_contact_ways(self, start_time: int, end_time: int) -> Iterator[ContactWayPage]:
        """https://developer.work.weixin.qq.com/document/path/92228"""
        body = {"start_time": start_time, "end_time": end_time, "limit": WAYS_A_PAGE}
        return self._walk(f"{EXTERNAL}/list_contact_way", ContactWayPage, body)

    def update_contact_way(self, config_id: str, way: ContactWay) -> None:
        """Replaces members, state and remark; type and scene stay.

        https://developer.work.weixin.qq.com/document/path/92228
        """
        changed = {key: value for key, value in way.body().items() if key not in {"type", "scene"}}
        body = {"config_id": config_id, **changed}
        self._change(f"{EXTERNAL}/update_contact_way", body, is_safe=True)

    def delete_contact_way(self, config_id: str) -> None:
        """https://developer.work.weixin.qq.com/document/path/92228"""
        self._change(f"{EXTERNAL}/del_contact_way", {"config_id": config_id})

    # --- join ways --------------------------------------------------------------------------

    def add_join_way(self, way: JoinWay) -> str:
        """Its config_id; the picture is in ``get_join_way``.

        https://developer.work.weixin.qq.com/document/path/92229
        """
        return read(_ConfigId, self._change(f"{JOIN_WAY}/add_join_way", way.body())).config_id

    def get_join_way(self, config_id: str) -> JoinWayKept:
        """https://developer.work.weixin.qq.com/document/path/92229"""
        answer = self._look_up(f"{JOIN_WAY}/get_join_way", {"config_id": config_id})
        return read(_JoinWay, answer).join_way

    def update_join_way(self, config_id: str, way: JoinWay) -> None:
        """https://developer.work.weixin.qq.com/document/path/92229"""
        body = {"config_id": config_id, **way.body()}
        self._change(f"{JOIN_WAY}/update_join_way", body, is_safe=True)

    def delete_join_way(self, config_id: str) -> None:
        """https://developer.work.weixin.qq.com/document/path/92229"""
        self._change(f"{JOIN_WAY}/del_join_way", {"config_id": config_id})

    # --- customer acquisition (获客助手) -----------------------------------------------------

    def create_acquisition_link(
        self, name: str, userids: Sequence[str], *, skips_verify: bool = True
    ) -> AcquisitionLink:
        """Add ``customer_channel=`` (≤ 64) to its url: it comes back as the state.

        https://developer.work.weixin.qq.com/document/path/97297
        """
        body = {**_link_body(name, userids), "skip_verify": skips_verify}
        return read(_Link, self._change(f"{ACQUISITION}/create_link", body)).link

    def update_acquisition_link(self, link_id: str, name: str, userids: Sequence[str]) -> None:
        """https://developer.work.weixin.qq.com/document/path/97297"""
        body = {"link_id": link_id, **_link_body(name, userids)}
        self._change(f"{ACQUISITION}/update_link", body, is_safe=True)

    def delete_acquisition_link(self, link_id: str) -> None:
        """https://developer.work.weixin.qq.com/document/path/97297"""
        self._change(f"{ACQUISITION}/delete_link", {"link_id": link_id})

    def get_acquisition_link(self, link_id: str) -> AcquisitionDetail:
        """https://developer.work.weixin.qq.com/document/path/97297"""
        return read(AcquisitionDetail, self._look_up(f"{ACQUISITION}/get", {"link_id": link_id}))

    def list_acquisition_links(self) -> tuple[str, ...]:
        """Ids of all of them.

        https://developer.work.weixin.qq.com/document/path/97297
        """
        body = {"limit": LINKS_A_PAGE}
        pages = self._walk(f"{ACQUISITION}/list_link", _LinkIds, body)
        return tuple(link_id for page in pages for link_id in page.link_id_list)

    def walk_acquired_customers(self, link_id: str) -> Iterator[AcquiredPage]:
        """https://developer.work.weixin.qq.com/document/path/97298"""
        body = {"link_id": link_id, "limit": CUSTOMERS_A_PAGE}
        return self._walk(f"{ACQUISITION}/customer", AcquiredPage, body)

    def get_acquisition_figures(
        self, link_id: str, start_time: int, end_time: int
    ) -> AcquisitionFigures:
        """https://developer.work.weixin.qq.com/document/path/97399"""
        body = {"link_id": link_id, "start_time": start_time, "end_time": end_time}
        return read(AcquisitionFigures, self._look_up(f"{ACQUISITION}/statistic", body))

    def get_acquisition_quota(self) -> AcquisitionQuota:
        """https://developer.work.weixin.qq.com/document/path/97375"""
        return read(AcquisitionQuota, self._get(f"{EXTERNAL}/customer_acquisition_quota"))


def _link_body(name: str, userids: Sequence[str]) -> dict[str, Any]:
    return {
        "link_name": chars_at_most("链接名称", need("链接名称", name), LONGEST_LINK_NAME),
        "range": {"user_list": some("成员", userids, MOST_LINK_MEMBERS)},
    }
