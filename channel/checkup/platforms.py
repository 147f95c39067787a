"""What an account may do at its platform: each question is one finding.

What cannot be asked because something before it is broken is unknown, not broken: there is one
thing to mend, and it is said once.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from redis.exceptions import RedisError

from channel.breaker import breaker_state
from channel.budget import BudgetExhausted
from channel.checkup.findings import (
    ADDRESS_REFUSED,
    SECRET_REFUSED,
    Check,
    Finding,
    Verdict,
    advice_for,
    finding,
    refused_address,
)
from channel.checkup.probes import (
    OfficialAccountProbe,
    WecomProbe,
    hasty_http,
    official_account_probe,
    wecom_probe,
)
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.settings import get_settings
from core.web import written_china_time
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.pushes.models import MessageKind

# The console has no callback address yet, or one that is none.
NO_SUCH_CALLBACK = 40201

# What is said, and advised, of a question that came too late.
NO_TIME = ("没有来得及检查", "稍后再查一次")

Question = Callable[[], "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question ended. ``errcode`` is 0 when the platform did not refuse."""

    verdict: Verdict
    says: str
    advice: str = ""
    errcode: int = 0
    address: str = ""


class Examination:
    """One account's questions, asked until ``deadline`` (of ``time.monotonic``)."""

    def __init__(self, account: ChannelAccountCredentials, deadline: float) -> None:
        self._account, self._deadline = account, deadline

    def ask(self, question: Question) -> Outcome:
        """Never fails: one broken thing hides no other."""
        if time.monotonic() >= self._deadline:
            return Outcome(Verdict.UNKNOWN, *NO_TIME)
        try:
            return question()
        except BudgetExhausted:
            return Outcome(Verdict.UNKNOWN, "本机的调用额度暂时用完", "稍后再查一次")
        except WeChatError as error:
            return self._refused(error)
        except WeChatUnreachable as error:
            return self._unreached(error)
        except RedisError as error:
            says = f"Redis 连不上（{type(error).__name__}），没有检查"
            return Outcome(Verdict.UNKNOWN, says, "先恢复 Redis")

    def tell(self, check: Check, outcome: Outcome) -> Finding:
        return finding(self._account, check, outcome.verdict, outcome.says, outcome.advice)

    def skip(self, *checks: Check, because: str) -> Iterator[Finding]:
        for check in checks:
            yield finding(self._account, check, Verdict.UNKNOWN, because)

    def _refused(self, error: WeChatError) -> Outcome:
        says = f"接口返回 {error.errcode}"
        address = refused_address(error.errmsg)
        if error.errcode in ADDRESS_REFUSED and address:
            says = f"{says}，被拒的 IP 是 {address}"
        advice = advice_for(self._account, error.errcode, error.errmsg)
        return Outcome(Verdict.BROKEN, says, advice, error.errcode, address)

    def _unreached(self, error: WeChatUnreachable) -> Outcome:
        is_wecom = self._account.kind is ChannelKind.WECOM_APP
        setting = "XINQIAO_WECOM_API_URL" if is_wecom else "XINQIAO_WECHAT_API_URL"
        says = f"连不上{'企业微信' if is_wecom else '微信'}（{error.why}）"
        return Outcome(Verdict.BROKEN, says, f"检查出口网络、代理和 {setting}")

    # --- the secret -------------------------------------------------------------------------

    def ask_for_token(self, fetch: Callable[[], None]) -> Outcome:
        """A secret that was refused is not tried again before its time: WeCom bans for that."""

        def question() -> Outcome:
            if state := breaker_state(self._account.id):
                says = f"之前返回 {state.errcode}"
                advice = advice_for(self._account, state.errcode)
                return Outcome(Verdict.BROKEN, says, advice, state.errcode)
            fetch()
            return Outcome(Verdict.WELL, "密钥有效，能取到凭证")

        return self._with_pause(self.ask(question))

    def _with_pause(self, outcome: Outcome) -> Outcome:
        if not outcome.errcode:
            return outcome
        try:
            state = breaker_state(self._account.id)
        except RedisError:
            state = None
        if state is None:
            return outcome
        says = f"{outcome.says}；{written_china_time(state.closes_at)} 之前不再询问"
        return Outcome(outcome.verdict, says, outcome.advice, outcome.errcode, outcome.address)

    def allowlist(self, outcome: Outcome) -> Finding:
        """Of an answer to any call: was our address refused?"""
        if outcome.errcode in ADDRESS_REFUSED:
            address = outcome.address or "本机的出口 IP"
            says = f"{address} 不在白名单（{outcome.errcode}）"
            told = Outcome(Verdict.BROKEN, says, outcome.advice)
        elif outcome.verdict is Verdict.WELL:
            told = Outcome(Verdict.WELL, "本机的出口 IP 可用")
        else:
            told = Outcome(Verdict.UNKNOWN, _why_not(outcome))
        return self.tell(Check.ALLOWLIST, told)


def _why_not(outcome: Outcome) -> str:
    if outcome.errcode in ADDRESS_REFUSED:
        return "出口 IP 被拒，没有检查"
    if outcome.errcode in SECRET_REFUSED:
        return "密钥被拒，没有检查"
    return "接口被拒，没有检查" if outcome.errcode else "连不上平台，没有检查"


# --- official accounts and mini-programs ----------------------------------------------------


def examine_official_account(
    account: ChannelAccountCredentials, templates: dict[str, str], deadline: float
) -> Iterator[Finding]:
    at = Examination(account, deadline)
    with hasty_http(get_settings().wechat_api_url) as http:
        probe = official_account_probe(account, http)
        token = at.ask_for_token(probe.ask_for_token)
        yield at.tell(Check.TOKEN, token)
        yield at.allowlist(token)
        if token.verdict is Verdict.WELL:
            yield from _examine_rights(at, probe)
        else:
            checks = (Check.TEMPLATE_API, Check.FOLLOWER_API, Check.TICKETS, Check.NETWORK)
            yield from at.skip(*checks, because=_why_not(token))
    yield at.tell(Check.TEMPLATES, _templates(account, templates))


def _examine_rights(at: Examination, probe: OfficialAccountProbe) -> Iterator[Finding]:
    def templates() -> Outcome:
        probe.list_templates()
        return Outcome(Verdict.WELL, "可以使用")

    def followers() -> Outcome:
        probe.ask_for_nobody()
        return Outcome(Verdict.WELL, "可以使用")

    def ticket() -> Outcome:
        probe.get_jsapi_ticket()
        return Outcome(Verdict.WELL, "能取到")

    yield at.tell(Check.TEMPLATE_API, at.ask(templates))
    yield at.tell(Check.FOLLOWER_API, at.ask(followers))
    yield at.tell(Check.TICKETS, at.ask(ticket))
    yield at.tell(Check.NETWORK, at.ask(lambda: _network(probe)))


def _network(probe: OfficialAccountProbe) -> Outcome:
    """WeChat pings for seconds, and not every account may ask: only what is said counts."""
    try:
        report = probe.check_callback()
    except WeChatUnreachable:
        return Outcome(Verdict.UNKNOWN, "微信没有在几秒内测完", "稍后再查一次")
    except WeChatError as error:
        if error.errcode == NO_SUCH_CALLBACK:
            raise
        return Outcome(Verdict.UNKNOWN, f"微信没有测（{error.errcode}）")
    if not report.dns:
        advice = "检查域名解析，运营商不同结果可能不同"
        return Outcome(Verdict.BROKEN, "微信解析不出回调地址的域名", advice)
    if not report.is_answered:
        says = "微信能解析域名，但 ping 不通"
        return Outcome(Verdict.UNKNOWN, says, "防火墙不答 ping 也会这样；回调收得到就不用管")
    return Outcome(Verdict.WELL, "域名能解析，网络通")


def _templates(account: ChannelAccountCredentials, templates: dict[str, str]) -> Outcome:
    missing = [kind.value for kind in MessageKind if kind.value not in templates]
    if missing:
        advice = f"在公众平台添加模板后运行 xinqiao accounts setup {account.name}"
        return Outcome(Verdict.BROKEN, f"缺 {'、'.join(missing)}", advice)
    return Outcome(Verdict.WELL, "齐全")


def examine_miniprogram(account: ChannelAccountCredentials, deadline: float) -> Iterator[Finding]:
    at = Examination(account, deadline)
    with hasty_http(get_settings().wechat_api_url) as http:
        token = at.ask_for_token(official_account_probe(account, http).ask_for_token)
    yield at.tell(Check.TOKEN, token)
    yield at.allowlist(token)


# --- WeCom apps -----------------------------------------------------------------------------

_AFTER_TOKEN = (Check.MEMBER_API, Check.AGENT, Check.CUSTOMER_API, Check.TICKETS)


def examine_wecom_app(account: ChannelAccountCredentials, deadline: float) -> Iterator[Finding]:
    at = Examination(account, deadline)
    with hasty_http(get_settings().wecom_api_url) as http:
        probe = wecom_probe(account, http)
        token = at.ask_for_token(probe.ask_for_token)
        yield at.tell(Check.TOKEN, token)
        if token.verdict is not Verdict.WELL:
            yield at.allowlist(token)
            yield from at.skip(*_AFTER_TOKEN, because=_why_not(token))
            return
        # A token is given to every address; the calls with it are not.
        members = at.ask(lambda: _members(probe))
        yield _allowlist_of_call(at, members)
        if members.errcode in ADDRESS_REFUSED:
            yield from at.skip(*_AFTER_TOKEN, because=_why_not(members))
            return
        yield at.tell(Check.MEMBER_API, members)
        yield at.tell(Check.AGENT, at.ask(lambda: _agent(account, probe)))
        yield at.tell(Check.CUSTOMER_API, at.ask(lambda: _customers(probe)))
        yield at.tell(Check.TICKETS, at.ask(lambda: _tickets(probe)))


def _allowlist_of_call(at: Examination, answer: Outcome) -> Finding:
    """Another refusal than that of the address came after the address was looked at."""
    if answer.errcode and answer.errcode not in ADDRESS_REFUSED:
        return at.allowlist(Outcome(Verdict.WELL, ""))
    return at.allowlist(answer)


def _members(probe: WecomProbe) -> Outcome:
    probe.ask_for_nobody()
    return Outcome(Verdict.WELL, "可以使用")


def _agent(account: ChannelAccountCredentials, probe: WecomProbe) -> Outcome:
    probe.ask_for_own_app()
    return Outcome(Verdict.WELL, f"{account.agentid} 与密钥是同一个应用")


def _customers(probe: WecomProbe) -> Outcome:
    found = len(probe.list_follow_users())
    if not found:
        advice = "在管理后台“客户联系 → 权限配置”的使用范围里加入客户经理"
        return Outcome(Verdict.UNKNOWN, "可以使用，但没有成员开通客户联系", advice)
    return Outcome(Verdict.WELL, f"可以使用，{found} 位成员开通了客户联系")


def _tickets(probe: WecomProbe) -> Outcome:
    probe.get_corp_ticket()
    probe.get_agent_ticket()
    return Outcome(Verdict.WELL, "企业的和应用的都能取到")
