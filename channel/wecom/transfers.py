"""Passing customers on: of members who stay, and of those who left.

https://developer.work.weixin.qq.com/document/path/92125
"""

from collections.abc import Iterator, Sequence

from channel.answers import Answer, CursorPage, read
from channel.platform import PlatformClient
from channel.rules import chars_at_most, some
from channel.wecom.external_contacts import EXTERNAL

MOST_CUSTOMERS = 100
LONGEST_GREETING = 200
UNASSIGNED_A_PAGE = 1000


class TransferBegun(Answer):
    """``errcode`` 0: begun, not done; the customer may still refuse for 24 hours."""

    external_userid: str
    errcode: int


class TransfersBegun(Answer):
    """One for each customer asked about: look at every ``errcode``."""

    customer: tuple[TransferBegun, ...]

    @property
    def refused(self) -> tuple[TransferBegun, ...]:
        return tuple(one for one in self.customer if one.errcode != 0)


class TransferState(Answer):
    """``status``: 1 done, 2 waiting, 3 refused, 4 the new member has too many, 5 no record."""

    external_userid: str
    status: int
    takeover_time: int = 0


class TransferPage(CursorPage):
    customer: tuple[TransferState, ...] = ()


class Unassigned(Answer):
    """``dimission_time``: when the member left."""

    handover_userid: str
    external_userid: str
    dimission_time: int = 0


class UnassignedPage(CursorPage):
    info: tuple[Unassigned, ...] = ()
    is_last: bool = False


class TransferCalls(PlatformClient):
    def transfer_customers(
        self,
        handover_userid: str,
        takeover_userid: str,
        external_userids: Sequence[str],
        greeting: str = "",
    ) -> TransfersBegun:
        """Of a member who stays; a customer moves at most twice in 90 days.

        https://developer.work.weixin.qq.com/document/path/92125
        """
        body = _who(handover_userid, takeover_userid) | {
            "external_userid": some("客户", external_userids, MOST_CUSTOMERS)
        }
        if greeting:
            body["transfer_success_msg"] = chars_at_most("转接提示", greeting, LONGEST_GREETING)
        return read(TransfersBegun, self._change(f"{EXTERNAL}/transfer_customer", body))

    def walk_transfers(self, handover_userid: str, takeover_userid: str) -> Iterator[TransferPage]:
        """https://developer.work.weixin.qq.com/document/path/94088"""
        body = _who(handover_userid, takeover_userid)
        return self._walk(f"{EXTERNAL}/transfer_result", TransferPage, body)

    def transfer_customers_of_leaver(
        self, handover_userid: str, takeover_userid: str, external_userids: Sequence[str]
    ) -> TransfersBegun:
        """https://developer.work.weixin.qq.com/document/path/94081"""
        body = _who(handover_userid, takeover_userid) | {
            "external_userid": some("客户", external_userids, MOST_CUSTOMERS)
        }
        return read(TransfersBegun, self._change(f"{EXTERNAL}/resigned/transfer_customer", body))

    def walk_transfers_of_leaver(
        self, handover_userid: str, takeover_userid: str
    ) -> Iterator[TransferPage]:
        """https://developer.work.weixin.qq.com/document/path/94082"""
        body = _who(handover_userid, takeover_userid)
        return self._walk(f"{EXTERNAL}/resigned/transfer_result", TransferPage, body)

    def walk_unassigned(self) -> Iterator[UnassignedPage]:
        """Customers whose member left.

        https://developer.work.weixin.qq.com/document/path/92124
        """

        def ask(cursor: str) -> UnassignedPage:
            body = {"page_size": UNASSIGNED_A_PAGE, "cursor": cursor}
            return read(UnassignedPage, self._look_up(f"{EXTERNAL}/get_unassigned_list", body))

        return self._pages(ask, lambda page: "" if page.is_last else page.next_cursor)


def _who(handover_userid: str, takeover_userid: str) -> dict[str, object]:
    return {"handover_userid": handover_userid, "takeover_userid": takeover_userid}
