"""Web sign-in: the codes that the authorize page hands out, and what they are exchanged for."""

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox.state import Account, Fan, Json, OAuthCode, WebToken
from sandbox.wechat.errors import Refusal
from sandbox.world import World, openid_for, unionid_for

CODE_SECONDS = 300
TOKEN_SECONDS = 7200
REFRESH_SECONDS = 30 * 86_400
BASE, USERINFO = "snsapi_base", "snsapi_userinfo"
LONGEST_STATE = 128

Query = Mapping[str, str]


class PageError(Exception):
    """The authorize page refuses: WeChat shows a page, the account's site is never reached."""


def check_authorize(world: World, query: Query) -> Account:
    account = world.official_account(query.get("appid", ""))
    if account is None:
        raise PageError("appid 参数错误 (10013)")
    if query.get("response_type") != "code":
        raise PageError("response_type 参数错误 (10004)")
    if query.get("scope") not in {BASE, USERINFO}:
        raise PageError("scope 参数错误或没有 scope 权限 (10005)")
    state = query.get("state", "")
    if len(state) > LONGEST_STATE or (state and not (state.isascii() and state.isalnum())):
        raise PageError("state 参数错误：只能是 128 个以内的字母和数字")
    require_own_domain(account, query.get("redirect_uri", ""))
    return account


def require_own_domain(account: Account, redirect_uri: str) -> None:
    """The configured host exactly: a sub-domain does not inherit."""
    target = urlsplit(redirect_uri)
    if target.scheme not in {"http", "https"} or not target.hostname:
        raise PageError("redirect_uri 参数错误 (10003)")
    configured = account.oauth_domain
    if configured and configured not in {target.hostname, target.netloc}:
        raise PageError("redirect_uri 域名与后台配置不一致 (10003)")


def issue_code(world: World, account: Account, fan: Fan, scope: str) -> str:
    _forget_old_codes(world)
    is_snapshot = account.settings.snapshot_user
    code = secrets.token_urlsafe(32)[:32]
    world.state.codes[code] = OAuthCode(
        account=account.name,
        openid=openid_for(account, f"snapshot:{code}") if is_snapshot else fan.openid,
        scope=scope,
        issued_at=world.clock.now(),
        snapshot=is_snapshot,
    )
    world.is_dirty = True
    return code


def redirect_with(redirect_uri: str, code: str, state: str) -> str:
    target = urlsplit(redirect_uri)
    query = [*parse_qsl(target.query, keep_blank_values=True), ("code", code), ("state", state)]
    return urlunsplit(target._replace(query=urlencode(query), fragment=target.fragment))


def exchange(world: World, query: Query) -> Json:
    account = account_with_secret(world, query)
    if query.get("grant_type") != "authorization_code":
        raise Refusal(40002)
    if not (value := query.get("code")):
        raise Refusal(41008)
    code = world.state.codes.get(value)
    now = world.clock.now()
    if code is None or code.account != account.name or now >= code.issued_at + CODE_SECONDS:
        raise Refusal(40029)
    if code.used:
        raise Refusal(40163)
    code.used = True
    world.is_dirty = True
    answer = _tokens(world, account, code.openid, code.scope)
    return answer | {"is_snapshotuser": 1} if code.snapshot else answer


def refresh(world: World, query: Query) -> Json:
    account = world.official_account(query.get("appid", ""))
    if account is None:
        raise Refusal(40013)
    if query.get("grant_type") != "refresh_token":
        raise Refusal(40002)
    old = world.state.refresh_tokens.get(query.get("refresh_token", ""))
    if old is None or old.account != account.name:
        raise Refusal(40030)
    if world.clock.now() >= old.valid_until:
        raise Refusal(42002)
    return _tokens(world, account, old.openid, old.scope)


def check(world: World, query: Query) -> Json:
    _web_token(world, query)
    return {"errcode": 0, "errmsg": "ok"}


def userinfo(world: World, query: Query) -> Json:
    token = _web_token(world, query)
    if token.scope != USERINFO:
        raise Refusal(48001)
    account = world.state.accounts[token.account]
    fan = account.fans.get(token.openid)
    name = world.state.people[fan.person_id].name if fan else "微信用户"
    answer: Json = {
        "openid": token.openid,
        "nickname": name,
        "sex": 0,
        "language": "",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "privilege": [],
    }
    return answer | _unionid(account, fan)


def account_with_secret(world: World, query: Query) -> Account:
    account = world.official_account(query.get("appid", ""))
    if account is None:
        raise Refusal(40013)
    check_secret(account, query)
    return account


def check_secret(account: Account, query: Query) -> None:
    if not (secret := query.get("secret")):
        raise Refusal(41004)
    if not secrets.compare_digest(secret.encode(), account.secret.encode()):
        raise Refusal(40125)


def _tokens(world: World, account: Account, openid: str, scope: str) -> Json:
    now = world.clock.now()
    access, refresh_value = secrets.token_urlsafe(64), secrets.token_urlsafe(64)
    state = world.state
    _forget_old_web_tokens(state.web_tokens, now)
    _forget_old_web_tokens(state.refresh_tokens, now)
    state.web_tokens[access] = WebToken(account.name, openid, scope, now + TOKEN_SECONDS)
    state.refresh_tokens[refresh_value] = WebToken(
        account.name, openid, scope, now + REFRESH_SECONDS
    )
    answer: Json = {
        "access_token": access,
        "expires_in": TOKEN_SECONDS,
        "refresh_token": refresh_value,
        "openid": openid,
        "scope": scope,
    }
    return answer | _unionid(account, account.fans.get(openid))


def _unionid(account: Account, fan: Fan | None) -> Json:
    return {"unionid": unionid_for(fan.person_id)} if fan and account.settings.unionid else {}


def _web_token(world: World, query: Query) -> WebToken:
    token = world.state.web_tokens.get(query.get("access_token", ""))
    if token is None:
        raise Refusal(40001, "invalid credential, access_token is invalid or not latest")
    if world.clock.now() >= token.valid_until:
        raise Refusal(42001)
    if token.openid != query.get("openid"):
        raise Refusal(40003)
    return token


def _forget_old_codes(world: World) -> None:
    limit = world.clock.now() - 86_400
    codes = world.state.codes
    while codes and codes[oldest := next(iter(codes))].issued_at < limit:
        del codes[oldest]


def _forget_old_web_tokens(tokens: dict[str, WebToken], now: float) -> None:
    while tokens and tokens[oldest := next(iter(tokens))].valid_until < now - 86_400:
        del tokens[oldest]
