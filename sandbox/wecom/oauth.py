"""Sign-in: the codes that authorize and the QR page hand out, and what they tell.

https://developer.work.weixin.qq.com/document/path/96441
"""

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from sandbox.state import Account, Json
from sandbox.wechat.oauth import LONGEST_STATE, PageError
from sandbox.wecom import members
from sandbox.wecom.call import OK, Call, sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Corp, ExternalContact, Member, SignInCode, UserTicket
from sandbox.world import World, openid_for

CODE_SECONDS = 300
TICKET_SECONDS = 1800
DAY = 86_400
BASE, PRIVATE = "snsapi_base", "snsapi_privateinfo"
QR_LOGIN = "CorpApp"

Query = Mapping[str, str]
Visitor = Member | ExternalContact | None  # who opens the page; None: WeChat knows, WeCom does not


def check_authorize(world: World, query: Query) -> Account:
    apps = _apps(world, query)
    if query.get("response_type") != "code":
        raise PageError("response_type 参数错误")
    if query.get("scope") not in {BASE, PRIVATE}:
        raise PageError("scope 参数错误")
    if query["scope"] == PRIVATE and not query.get("agentid"):
        raise PageError("scope 为 snsapi_privateinfo 时必须带上 agentid")
    _require_good_state(query)
    return _app_with_domain(apps, query)


def check_qr_login(world: World, query: Query) -> Account:
    if query.get("login_type", QR_LOGIN) != QR_LOGIN:
        raise PageError("login_type 参数错误")
    if not query.get("agentid"):
        raise PageError("缺少 agentid")
    apps = _apps(world, query)
    _require_good_state(query)
    return _app_with_domain(apps, query)


def require_own_domain(account: Account, redirect_uri: str) -> None:
    """The configured host exactly, with its port when it was configured with one."""
    target = urlsplit(redirect_uri)
    if target.scheme not in {"http", "https"} or not target.hostname:
        raise PageError("redirect_uri 参数错误")
    configured = account.oauth_domain
    if configured and configured not in {target.hostname, target.netloc}:
        raise PageError("redirect_uri 与配置的可信域名不一致 (50001)")


def issue_code(
    world: World, account: Account, visitor: Visitor, scope: str, *, any_app: bool = False
) -> str:
    corp, now = world.corp(account), world.clock.now()
    _forget_old(corp, now)
    code = SignInCode("" if any_app else account.agentid, scope, now)
    if isinstance(visitor, Member):
        code.userid = visitor.userid
    elif visitor is not None:
        code.external_userid = visitor.external_userid
        code.openid = openid_for(account, visitor.person_id or visitor.external_userid)
    else:
        code.openid = openid_for(account, secrets.token_hex(8))
    value = secrets.token_urlsafe(48)
    corp.codes[value] = code
    world.is_dirty = True
    return value


def get_user_info(call: Call) -> Json:
    code = _redeem(call)
    if not code.userid:
        answer: Json = OK | {"openid": code.openid}
        if code.external_userid:
            answer["external_userid"] = code.external_userid
        return answer
    answer = OK | {"userid": code.userid}
    if code.scope == PRIVATE and sees(call.account, code.userid):
        answer["user_ticket"] = _new_ticket(call, code.userid)
    return answer


def get_user_info_of_old(call: Call) -> Json:
    """``/cgi-bin/user/getuserinfo``, which spells its fields with capitals."""
    code = _redeem(call)
    if code.userid:
        return OK | {"UserId": code.userid, "DeviceId": ""}
    answer: Json = OK | {"OpenId": code.openid, "DeviceId": ""}
    return answer | ({"external_userid": code.external_userid} if code.external_userid else {})


def get_user_detail(call: Call) -> Json:
    ticket = call.corp.user_tickets.get(str(call.body.get("user_ticket") or ""))
    if ticket is None or ticket.account != call.account.name:
        raise Refusal(84015)
    if call.now >= ticket.valid_until:
        raise Refusal(84014)
    member = call.member(ticket.userid)
    return OK | {"userid": member.userid} | members.details(member)


def _redeem(call: Call) -> SignInCode:
    if not (value := call.query.get("code")):
        raise Refusal(41008)
    code = call.corp.codes.get(value)
    if code is None or code.used or call.now >= code.issued_at + CODE_SECONDS:
        raise Refusal(40029)
    if code.agentid not in {"", call.account.agentid}:
        raise Refusal(40029)
    code.used = True
    return code


def _new_ticket(call: Call, userid: str) -> str:
    value = secrets.token_urlsafe(48)
    call.corp.user_tickets[value] = UserTicket(call.account.name, userid, call.now + TICKET_SECONDS)
    return value


def _apps(world: World, query: Query) -> list[Account]:
    apps = world.apps(query.get("appid", ""))
    if not apps:
        raise PageError("appid 参数错误：没有这个企业")
    if agentid := query.get("agentid"):
        apps = [one for one in apps if one.agentid == agentid]
    if not apps:
        raise PageError("agentid 参数错误：企业没有这个应用")
    if all(one.settings.app_disabled for one in apps):
        raise PageError("应用已停用 (50003)")
    return apps


def _app_with_domain(apps: list[Account], query: Query) -> Account:
    """Without an agentid, any app of the corp may be the one whose domain it is."""
    for account in apps[:-1]:
        try:
            require_own_domain(account, query.get("redirect_uri", ""))
        except PageError:
            continue
        return account
    require_own_domain(apps[-1], query.get("redirect_uri", ""))
    return apps[-1]


def _require_good_state(query: Query) -> None:
    state = query.get("state", "")
    if len(state) > LONGEST_STATE or (state and not (state.isascii() and state.isalnum())):
        raise PageError("state 参数错误：只能是 128 个以内的字母和数字 (84025)")


def _forget_old(corp: Corp, now: float) -> None:
    codes, user_tickets = corp.codes, corp.user_tickets
    while codes and codes[oldest := next(iter(codes))].issued_at < now - DAY:
        del codes[oldest]
    while user_tickets and user_tickets[oldest := next(iter(user_tickets))].valid_until < now - DAY:
        del user_tickets[oldest]
