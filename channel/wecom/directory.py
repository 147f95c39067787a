"""Members and departments of a corp, as far as the app may see them.

https://developer.work.weixin.qq.com/document/path/90196
"""

from collections.abc import Iterator

from pydantic import Field

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient

ROOT_DEPARTMENT = 1
IDS_A_PAGE = 10_000


class Member(Answer):
    """``status``: 1 active, 2 disabled, 4 not activated, 5 left. Much may be withheld."""

    userid: str
    name: str = Field(default="", repr=False)
    department: tuple[int, ...] = ()
    is_leader_in_dept: tuple[int, ...] = ()
    direct_leader: tuple[str, ...] = ()
    main_department: int | None = None
    position: str = ""
    mobile: str = Field(default="", repr=False)
    status: int | None = None


class _Members(Answer):
    userlist: tuple[Member, ...]


class MemberOfDepartment(Answer):
    userid: str
    department: int


class MemberIdPage(CursorPage):
    dept_user: tuple[MemberOfDepartment, ...] = ()


class Department(Answer):
    """Names are withheld from apps without the right to read the directory."""

    id: int
    name: str = ""
    parentid: int = 0
    order: int = 0
    department_leader: tuple[str, ...] = ()


class _Departments(Answer):
    department: tuple[Department, ...]


class _DepartmentIds(Answer):
    department_id: tuple[Department, ...]


class _Userid(Answer):
    userid: str


class _Openid(Answer):
    openid: str


class DirectoryCalls(PlatformClient):
    def get_member(self, userid: str) -> Member:
        """https://developer.work.weixin.qq.com/document/path/90196"""
        return read(Member, self._get("/cgi-bin/user/get", {"userid": userid}))

    def list_members(self, department_id: int) -> tuple[Member, ...]:
        """Those of the department itself, with details.

        https://developer.work.weixin.qq.com/document/path/90201
        """
        params = {"department_id": str(department_id)}
        return read(_Members, self._get("/cgi-bin/user/list", params)).userlist

    def list_member_names(self, department_id: int) -> tuple[Member, ...]:
        """Those of the department itself: userid, name and departments only.

        https://developer.work.weixin.qq.com/document/path/90200
        """
        params = {"department_id": str(department_id)}
        return read(_Members, self._get("/cgi-bin/user/simplelist", params)).userlist

    def walk_member_ids(self) -> Iterator[MemberIdPage]:
        """Everybody the app may see, page after page.

        https://developer.work.weixin.qq.com/document/path/96067
        """
        body = {"limit": IDS_A_PAGE}
        return self._walk("/cgi-bin/user/list_id", MemberIdPage, body)

    def find_userid_by_mobile(self, mobile: str) -> str:
        """Raises WeChatError 46004 when there is nobody.

        https://developer.work.weixin.qq.com/document/path/95402
        """
        answer = self._look_up("/cgi-bin/user/getuserid", {"mobile": mobile})
        return read(_Userid, answer).userid

    def get_openid_of_member(self, userid: str) -> str:
        """https://developer.work.weixin.qq.com/document/path/90202"""
        answer = self._look_up("/cgi-bin/user/convert_to_openid", {"userid": userid})
        return read(_Openid, answer).openid

    def list_departments(self, below: int | None = None) -> tuple[Department, ...]:
        """The department and all below it; without one, all that the app may see.

        https://developer.work.weixin.qq.com/document/path/90208
        """
        params = {} if below is None else {"id": str(below)}
        return read(_Departments, self._get("/cgi-bin/department/list", params)).department

    def list_department_ids(self, below: int | None = None) -> tuple[Department, ...]:
        """The shape of the tree, without names.

        https://developer.work.weixin.qq.com/document/path/95350
        """
        params = {} if below is None else {"id": str(below)}
        answer = self._get("/cgi-bin/department/simplelist", params)
        return read(_DepartmentIds, answer).department_id
