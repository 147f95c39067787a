"""One call of the API by an app whose token was good."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.state import Account, Json
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Corp, Department, Member
from sandbox.world import World

OK: Json = {"errcode": 0, "errmsg": "ok"}
LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Upload:
    filename: str
    content_type: str
    data: bytes


@dataclass(slots=True)
class Call:
    world: World
    corp: Corp
    account: Account
    query: Mapping[str, str]
    body: dict[str, Any]
    now: float
    upload: Upload | None = None
    host: str = ""  # where the sandbox was called, for addresses in its answers

    def member(self, userid: object) -> Member:
        """A member the app may see."""
        if not isinstance(userid, str) or not userid:
            raise Refusal(41009)
        member = self.corp.members.get(userid.lower())
        if member is None:
            raise Refusal(60111)
        if not sees(self.account, member.userid):
            raise Refusal(60011)
        return member

    def department(self, wanted: object) -> Department:
        department = self.corp.departments.get(as_number(wanted, 60003))
        if department is None:
            raise Refusal(60003)
        return department

    def require_own_agent(self, agentid: object) -> None:
        """The token belongs to one app and acts for no other."""
        if agentid is None or agentid == "":
            raise Refusal(41011)
        if str(as_number(agentid, 40056)) != self.account.agentid:
            raise Refusal(301002)


def sees(account: Account, userid: str) -> bool:
    visible = account.settings.visible_userids
    return not visible or userid.lower() in {one.lower() for one in visible}


def as_number(value: object, errcode: int) -> int:
    """A whole number, also when it comes as text in a query."""
    if isinstance(value, str):
        value = number_in(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(errcode)
    return value


def number_in(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
    return int(text) if is_number else None


def page_of(items: list[Any], cursor: object, limit: int) -> tuple[list[Any], str]:
    """One page and the cursor of the next; empty when there is none. Cursors are positions."""
    start = number_in(str(cursor or "0"))
    if start is None:
        raise Refusal(40058, detail="invalid cursor")
    after = start + limit
    return items[start:after], str(after) if after < len(items) else ""
