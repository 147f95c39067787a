"""Groups with customers in them (客户群).

https://developer.work.weixin.qq.com/document/path/92120
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient
from channel.rules import at_most, some
from channel.wecom.external_contacts import EXTERNAL

GROUP = f"{EXTERNAL}/groupchat"
MOST_OWNERS, MOST_TRANSFERRED, CHATS_A_PAGE, ROWS_A_PAGE = 100, 100, 1000, 1000


class ChatStatus(Answer):
    """``status``: 0 in order, 1 owner left, 2 being passed on, 3 passed on."""

    chat_id: str
    status: int = 0


class ChatPage(CursorPage):
    group_chat_list: tuple[ChatStatus, ...] = ()


class _Userid(Answer):
    userid: str


class ChatMember(Answer):
    """``type``: 1 a member of the corp, 2 somebody from outside (``userid`` is external)."""

    userid: str
    type: int
    unionid: str | None = None
    join_time: int = 0
    join_scene: int = 0
    invitor: _Userid | None = None
    group_nickname: str = Field(default="", repr=False)
    name: str = Field(default="", repr=False)
    state: str = ""


class GroupChat(Answer):
    chat_id: str
    name: str = ""
    owner: str = ""
    create_time: int = 0
    notice: str = ""
    member_list: tuple[ChatMember, ...] = ()
    admin_list: tuple[_Userid, ...] = ()
    member_version: str = ""


class _GroupChat(Answer):
    group_chat: GroupChat


class FailedChat(Answer):
    chat_id: str
    errcode: int
    errmsg: str = ""


class ChatsTransferred(Answer):
    """All but these were passed on."""

    failed_chat_list: tuple[FailedChat, ...] = ()


class ChatFigures(Answer):
    new_chat_cnt: int = 0
    chat_total: int = 0
    chat_has_msg: int = 0
    new_member_cnt: int = 0
    member_total: int = 0
    member_has_msg: int = 0
    msg_total: int = 0


class OwnerFigures(Answer):
    owner: str
    data: ChatFigures


class OwnerFiguresPage(Answer):
    total: int = 0
    next_offset: int = 0
    items: tuple[OwnerFigures, ...] = ()


class DayFigures(Answer):
    stat_time: int
    data: ChatFigures


class _DayFigures(Answer):
    items: tuple[DayFigures, ...] = ()


class GroupChatCalls(PlatformClient):
    def walk_group_chats(
        self, owners: Sequence[str] = (), status_filter: int = 0
    ) -> Iterator[ChatPage]:
        """Of up to 100 owners; without any, all that the app may see.

        https://developer.work.weixin.qq.com/document/path/92120
        """
        wanted: dict[str, Any] = {"status_filter": status_filter, "limit": CHATS_A_PAGE}
        if owners:
            wanted["owner_filter"] = {"userid_list": at_most("群主", owners, MOST_OWNERS)}
        return self._walk(f"{GROUP}/list", ChatPage, wanted)

    def get_group_chat(self, chat_id: str, *, needs_names: bool = False) -> GroupChat:
        """https://developer.work.weixin.qq.com/document/path/92122"""
        body = {"chat_id": chat_id, "need_name": int(needs_names)}
        return read(_GroupChat, self._look_up(f"{GROUP}/get", body)).group_chat

    def transfer_chats_of_leaver(self, chat_ids: Sequence[str], new_owner: str) -> ChatsTransferred:
        """Groups of a member who left.

        https://developer.work.weixin.qq.com/document/path/92127
        """
        return self._transfer("transfer", chat_ids, new_owner)

    def transfer_chats(self, chat_ids: Sequence[str], new_owner: str) -> ChatsTransferred:
        """Groups of a member who stays.

        https://developer.work.weixin.qq.com/document/path/95703
        """
        return self._transfer("onjob_transfer", chat_ids, new_owner)

    def walk_chat_figures(
        self, owners: Sequence[str], day_begin_time: int, day_end_time: int
    ) -> Iterator[OwnerFiguresPage]:
        """By owner.

        https://developer.work.weixin.qq.com/document/path/92133
        """
        wanted = _period(owners, day_begin_time, day_end_time)

        def ask(offset: str) -> OwnerFiguresPage:
            body = wanted | {"offset": int(offset or 0), "limit": ROWS_A_PAGE}
            return read(OwnerFiguresPage, self._look_up(f"{GROUP}/statistic", body))

        return self._pages(ask, _next_offset)

    def get_chat_figures_by_day(
        self, owners: Sequence[str], day_begin_time: int, day_end_time: int
    ) -> tuple[DayFigures, ...]:
        """https://developer.work.weixin.qq.com/document/path/92133"""
        body = _period(owners, day_begin_time, day_end_time)
        return read(_DayFigures, self._look_up(f"{GROUP}/statistic_group_by_day", body)).items

    def _transfer(self, how: str, chat_ids: Sequence[str], new_owner: str) -> ChatsTransferred:
        body = {"chat_id_list": some("客户群", chat_ids, MOST_TRANSFERRED), "new_owner": new_owner}
        return read(ChatsTransferred, self._change(f"{GROUP}/{how}", body))


def _period(owners: Sequence[str], begins_at: int, ends_at: int) -> dict[str, Any]:
    return {
        "day_begin_time": begins_at,
        "day_end_time": ends_at,
        "owner_filter": {"userid_list": some("群主", owners, MOST_OWNERS)},
    }


def _next_offset(page: OwnerFiguresPage) -> str:
    return str(page.next_offset) if page.next_offset and page.next_offset < page.total else ""
