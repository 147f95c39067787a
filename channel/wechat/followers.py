"""The people who follow an official account, and their tags.

https://developers.weixin.qq.com/doc/offiaccount/User_Management/Getting_a_User_List.html
"""

from collections.abc import Iterator, Sequence

from channel.answers import Answer, read
from channel.rules import chars_at_most, need, some
from channel.wechat.ground import WechatClient

MOST_ASKED_FOR, MOST_TAGGED = 100, 50
LONGEST_TAG = 30


class UserInfo(Answer):
    """Name and picture are no longer told (since 2021). ``unionid`` needs an open platform."""

    openid: str
    subscribe: bool
    subscribe_time: int = 0
    unionid: str | None = None
    subscribe_scene: str = ""
    qr_scene_str: str = ""
    tagid_list: tuple[int, ...] = ()


class _UserInfos(Answer):
    user_info_list: tuple[UserInfo, ...]


class _Openids(Answer):
    openid: tuple[str, ...] = ()


class FollowerPage(Answer):
    """The last page is empty; ``next_openid`` asks for the page after this one."""

    total: int
    count: int
    data: _Openids = _Openids()
    next_openid: str = ""


class FollowerTag(Answer):
    id: int
    name: str
    count: int = 0


class _TagCreated(Answer):
    tag: FollowerTag


class _Tags(Answer):
    tags: tuple[FollowerTag, ...]


class _TagIds(Answer):
    tagid_list: tuple[int, ...]


class FollowerCalls(WechatClient):
    def get_user_info(self, openid: str) -> UserInfo:
        """https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html"""
        return read(UserInfo, self._get("/cgi-bin/user/info", {"openid": openid, "lang": "zh_CN"}))

    def get_user_infos(self, openids: Sequence[str]) -> tuple[UserInfo, ...]:
        """At most 100 at once.

        https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html
        """
        asked = some("粉丝", openids, MOST_ASKED_FOR)
        body = {"user_list": [{"openid": openid, "lang": "zh_CN"} for openid in asked]}
        answer = self._look_up("/cgi-bin/user/info/batchget", body)
        return read(_UserInfos, answer).user_info_list

    def list_followers(self, next_openid: str = "") -> FollowerPage:
        """Up to 10,000 a page.

        https://developers.weixin.qq.com/doc/offiaccount/User_Management/Getting_a_User_List.html
        """
        params = {"next_openid": next_openid} if next_openid else {}
        return read(FollowerPage, self._get("/cgi-bin/user/get", params))

    def walk_followers(self) -> Iterator[FollowerPage]:
        """Every page of followers, the empty last one included."""
        return self._pages(self.list_followers, lambda page: page.next_openid if page.count else "")

    # --- tags: https://developers.weixin.qq.com/doc/offiaccount/User_Management/User_Tag_Management.html

    def create_tag(self, name: str) -> FollowerTag:
        """https://developers.weixin.qq.com/doc/offiaccount/User_Management/User_Tag_Management.html"""
        name = chars_at_most("标签名", need("标签名", name), LONGEST_TAG)
        answer = self._change("/cgi-bin/tags/create", {"tag": {"name": name}})
        return read(_TagCreated, answer).tag

    def list_tags(self) -> tuple[FollowerTag, ...]:
        """https://developers.weixin.qq.com/doc/offiaccount/User_Management/User_Tag_Management.html"""
        return read(_Tags, self._get("/cgi-bin/tags/get")).tags

    def tag_followers(self, tag_id: int, openids: Sequence[str]) -> None:
        """At most 50 at once: all or none of them.

        https://developers.weixin.qq.com/doc/offiaccount/User_Management/User_Tag_Management.html
        """
        self._tag("batchtagging", tag_id, openids)

    def untag_followers(self, tag_id: int, openids: Sequence[str]) -> None:
        """At most 50 at once.

        https://developers.weixin.qq.com/doc/offiaccount/User_Management/User_Tag_Management.html
        """
        self._tag("batchuntagging", tag_id, openids)

    def get_tags_of(self, openid: str) -> tuple[int, ...]:
        """https://developers.weixin.qq.com/doc/offiaccount/User_Management/User_Tag_Management.html"""
        answer = self._look_up("/cgi-bin/tags/getidlist", {"openid": openid})
        return read(_TagIds, answer).tagid_list

    def _tag(self, verb: str, tag_id: int, openids: Sequence[str]) -> None:
        body = {"tagid": tag_id, "openid_list": some("粉丝", openids, MOST_TAGGED)}
        self._change(f"/cgi-bin/tags/members/{verb}", body, is_safe=True)
