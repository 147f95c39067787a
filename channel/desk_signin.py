"""Sign-in at the desk by scanning: a code that waits, is scanned, and is confirmed on the phone.

Whoever scans a code that somebody else sent them would let that somebody in. So the phone asks
which number the screen shows, and a wrong one ends the code.
"""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import sha256

from core.errors import BadInput, Conflict
from core.redis import PREFIX, redis
from core.security import random_code

LIFE_SECONDS = 300
SCENE = "desk-"
CHOICES = 3


class DeskSignInGone(Conflict):
    code, message = "desk_signin_gone", "这次登录已过期或已完成，请在电脑上刷新二维码后重新扫码"


class WrongNumber(BadInput):
    code, message = "desk_signin_wrong_number", "选的数字与电脑上的不一致，这次登录已取消"


class DeskState(StrEnum):
    WAITING = "waiting"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class DeskSignIn:
    """``number`` is shown on the screen once the code was scanned."""

    code: str
    browser: str
    number: str
    state: DeskState = DeskState.WAITING
    user_id: int = 0
    identity_id: int = 0

    @property
    def scene(self) -> str:
        return f"{SCENE}{self.code}"

    def is_shown_by(self, browser_id: str) -> bool:
        return self.browser == _digest(browser_id)


def begin(browser_id: str) -> DeskSignIn:
    waiting = DeskSignIn(random_code(), _digest(browser_id), _number())
    _keep(waiting)
    return waiting


def find(code: str) -> DeskSignIn | None:
    kept = redis().get(_key(code))
    if kept is None:
        return None
    values = json.loads(str(kept))
    return DeskSignIn(**values | {"state": DeskState(values["state"])})


def note_scan(code: str, user_id: int, identity_id: int) -> bool:
    """A user of the desk scanned; told again, the answer is the same. False for a code that is
    gone, was scanned by another, or is confirmed."""
    found = find(code)
    if found is not None and found.state is DeskState.SCANNED:
        return found.identity_id == identity_id
    if found is None or found.state is not DeskState.WAITING:
        return False
    _keep(replace(found, state=DeskState.SCANNED, user_id=user_id, identity_id=identity_id))
    return True


def choices(found: DeskSignIn) -> list[str]:
    """The number among others. The same others at every look: what stays would be the one."""
    numbers = {found.number}
    for byte in sha256(found.code.encode()).digest():
        if len(numbers) < CHOICES:
            numbers.add(str(byte % 90 + 10))
    return sorted(numbers)


def find_scanned(code: str, identity_id: int) -> DeskSignIn:
    """The sign-in that this person scanned and has not answered yet."""
    found = find(code)
    if found is None or found.state is not DeskState.SCANNED or found.identity_id != identity_id:
        raise DeskSignInGone
    return found


def confirm(code: str, identity_id: int, number: str) -> None:
    """The person who scanned says which number the screen shows."""
    found = find_scanned(code, identity_id)
    if number != found.number:
        redis().delete(_key(code))
        raise WrongNumber
    _keep(replace(found, state=DeskState.CONFIRMED))


def cancel(code: str, identity_id: int) -> None:
    """ "It was not me." """
    redis().delete(_key(find_scanned(code, identity_id).code))


def finish(code: str, browser_id: str) -> int | None:
    """The user who confirmed, once and only for the browser that showed the code."""
    found = find(code)
    if found is None or found.state is not DeskState.CONFIRMED:
        return None
    if not found.is_shown_by(browser_id):
        return None
    return found.user_id if redis().delete(_key(code)) else None


def _keep(value: DeskSignIn) -> None:
    redis().set(_key(value.code), json.dumps(asdict(value)), ex=LIFE_SECONDS)


def _key(code: str) -> str:
    return f"{PREFIX}desk-signin:{_digest(code)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _number() -> str:
    return str(secrets.randbelow(90) + 10)
