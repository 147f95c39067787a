"""A WeCom app's API: typed questions and answers, no business.

One channel account is one app of one corp: the access token and the agent ticket are the app's,
the corp ticket is the corp's. The calls are grouped by noun in the modules beside this one;
sign-in and tickets are here.
"""

from pydantic import Field, SecretStr, field_validator

from channel.answers import Answer, read
from channel.platform import TicketAnswer, TokenAnswer
from channel.tokens import FetchedToken, TokenKind
from channel.wechat.transport import Request
from channel.wecom.approvals import ApprovalCalls
from channel.wecom.directory import DirectoryCalls
from channel.wecom.external_contacts import ContactCalls
from channel.wecom.group_chats import GroupChatCalls
from channel.wecom.moments import MomentCalls
from channel.wecom.outgoing import OutgoingCalls
from channel.wecom.outreach import OutreachCalls
from channel.wecom.tags import TagCalls
from channel.wecom.transfers import TransferCalls
from channel.wecom.ways import WayCalls


class WecomVisitor(Answer):
    """Who came back from the authorize page: a member (``userid``), or somebody else.

    ``user_ticket`` (30 minutes) comes with the scope ``snsapi_privateinfo`` only.
    """

    userid: str | None = None
    user_ticket: SecretStr | None = None
    openid: str | None = None
    external_userid: str | None = None

    @field_validator("userid", "openid", "external_userid", "user_ticket", mode="before")
    @classmethod
    def _nothing_is_none(cls, value: object) -> object:
        return value or None


class MemberDetail(Answer):
    """What the member allowed us to see of themselves; what they did not is empty."""

    userid: str
    gender: str = ""
    avatar: str = Field(default="", repr=False)
    qr_code: str = Field(default="", repr=False)
    mobile: str = Field(default="", repr=False)
    email: str = Field(default="", repr=False)
    biz_mail: str = Field(default="", repr=False)
    address: str = Field(default="", repr=False)


class WecomClient(
    DirectoryCalls,
    OutgoingCalls,
    ContactCalls,
    TagCalls,
    WayCalls,
    GroupChatCalls,
    OutreachCalls,
    MomentCalls,
    TransferCalls,
    ApprovalCalls,
):
    # --- tokens and tickets -----------------------------------------------------------------

    def _fetch_access_token(self) -> FetchedToken:
        """https://developer.work.weixin.qq.com/document/path/91039"""
        params = {
            "corpid": self._account.appid,
            "corpsecret": self._account.secret.get_secret_value(),
        }
        answer = read(
            TokenAnswer, self._ask_with_secret(Request("GET", "/cgi-bin/gettoken", params))
        )
        return FetchedToken(answer.access_token, answer.expires_in)

    def get_corp_ticket(self) -> str:
        """For ``wx.config`` and ``getConfigSignature``; one for all apps of the corp.

        https://developer.work.weixin.qq.com/document/path/90506
        """
        return self._tokens.get(
            self._account.id,
            TokenKind.CORP_TICKET,
            self._fetch_corp_ticket,
            shared_by=self._account.appid,
        )

    def get_agent_ticket(self) -> str:
        """For ``wx.agentConfig`` and ``getAgentConfigSignature``; this app's own.

        https://developer.work.weixin.qq.com/document/path/90506
        """
        return self._tokens.get(self._account.id, TokenKind.AGENT_TICKET, self._fetch_agent_ticket)

    def _fetch_corp_ticket(self) -> FetchedToken:
        answer = read(TicketAnswer, self._get("/cgi-bin/get_jsapi_ticket"))
        return FetchedToken(answer.ticket, answer.expires_in)

    def _fetch_agent_ticket(self) -> FetchedToken:
        answer = read(TicketAnswer, self._get("/cgi-bin/ticket/get", {"type": "agent_config"}))
        return FetchedToken(answer.ticket, answer.expires_in)

    # --- web sign-in ------------------------------------------------------------------------

    def exchange_code(self, code: str) -> WecomVisitor:
        """A code is good once, for five minutes.

        https://developer.work.weixin.qq.com/document/path/96442
        """
        answer = self._ask_for_sign_in("/cgi-bin/auth/getuserinfo", {"code": code})
        return read(WecomVisitor, answer)

    def get_user_detail(self, user_ticket: SecretStr) -> MemberDetail:
        """https://developer.work.weixin.qq.com/document/path/95833"""
        body = {"user_ticket": user_ticket.get_secret_value()}
        return read(MemberDetail, self._look_up("/cgi-bin/auth/getuserdetail", body))
