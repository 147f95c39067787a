"""The corp's tags for customers.

https://developer.work.weixin.qq.com/document/path/92117
"""

from collections.abc import Sequence
from typing import Any

from channel.answers import Answer, read
from channel.platform import PlatformClient
from channel.rules import RuleBroken, chars_at_most, need, some
from channel.wecom.external_contacts import EXTERNAL

LONGEST_TAG = 30
MOST_TAGS_AT_ONCE = 100


class CorpTag(Answer):
    id: str
    name: str
    create_time: int = 0
    order: int = 0
    deleted: bool = False


class CorpTagGroup(Answer):
    group_id: str
    group_name: str = ""
    create_time: int = 0
    order: int = 0
    deleted: bool = False
    tag: tuple[CorpTag, ...] = ()


class _Groups(Answer):
    tag_group: tuple[CorpTagGroup, ...]


class _Group(Answer):
    tag_group: CorpTagGroup


class TagCalls(PlatformClient):
    def list_corp_tags(
        self, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()
    ) -> tuple[CorpTagGroup, ...]:
        """All of them, or those asked for; deleted ones only when they are asked for.

        https://developer.work.weixin.qq.com/document/path/92117
        """
        body: dict[str, Any] = {}
        if tag_ids:
            body["tag_id"] = list(tag_ids)
        if group_ids:
            body["group_id"] = list(group_ids)
        return read(_Groups, self._look_up(f"{EXTERNAL}/get_corp_tag_list", body)).tag_group

    def add_corp_tags(
        self, names: Sequence[str], *, group_name: str = "", group_id: str = ""
    ) -> CorpTagGroup:
        """Into the group of that id or name, which is made when it is not there.

        https://developer.work.weixin.qq.com/document/path/92117
        """
        tags = [{"name": _name(name)} for name in some("标签", names, MOST_TAGS_AT_ONCE)]
        body: dict[str, Any] = {"tag": tags, "agentid": self._agentid()}
        body |= {"group_id": group_id} if group_id else {"group_name": _name(group_name)}
        return read(_Group, self._change(f"{EXTERNAL}/add_corp_tag", body)).tag_group

    def rename_corp_tag(self, id_: str, name: str) -> None:
        """A tag's or a group's; only of those that this app made.

        https://developer.work.weixin.qq.com/document/path/92117
        """
        body = {"id": id_, "name": _name(name), "agentid": self._agentid()}
        self._change(f"{EXTERNAL}/edit_corp_tag", body, is_safe=True)

    def delete_corp_tags(self, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        """Customers lose them too.

        https://developer.work.weixin.qq.com/document/path/92117
        """
        if not (tag_ids or group_ids):
            raise RuleBroken(field="标签", reason="不能为空")
        body: dict[str, Any] = {"agentid": self._agentid()}
        if tag_ids:
            body["tag_id"] = list(tag_ids)
        if group_ids:
            body["group_id"] = list(group_ids)
        self._change(f"{EXTERNAL}/del_corp_tag", body)

    def mark_tags(
        self,
        userid: str,
        external_userid: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> None:
        """One member's view of one customer; two at once for the same customer are refused.

        https://developer.work.weixin.qq.com/document/path/92118
        """
        body: dict[str, Any] = {"userid": userid, "external_userid": external_userid}
        if add:
            body["add_tag"] = list(add)
        if remove:
            body["remove_tag"] = list(remove)
        self._change(f"{EXTERNAL}/mark_tag", body, is_safe=True)

    def _agentid(self) -> str:
        return self._account.agentid or ""


def _name(name: str) -> str:
    return chars_at_most("标签名", need("标签名", name), LONGEST_TAG)
