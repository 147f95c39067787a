"""One call of the API by an account whose token was good."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.state import Account, Fan
from sandbox.wechat.errors import Refusal
from sandbox.world import World


@dataclass(slots=True)
class Call:
    world: World
    account: Account
    query: Mapping[str, str]
    body: dict[str, Any]
    now: float

    def fan(self, openid: object) -> Fan:
        fan = self.account.fans.get(openid) if isinstance(openid, str) else None
        if fan is None:
            raise Refusal(40003)
        return fan
