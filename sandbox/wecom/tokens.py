"""Access tokens: one for each app, the same one while it is good.

https://developer.work.weixin.qq.com/document/path/91039
"""

import secrets
from collections.abc import Mapping

from sandbox.clock import DAY
from sandbox.state import Account, Json, Kind, Token
from sandbox.wecom import limits
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Suspect
from sandbox.world import World

LIFETIME = 7200
BAN_SECONDS = 3600
PATH = "/cgi-bin/gettoken"


def give(world: World, query: Mapping[str, str], ip: str) -> Json:
    now = world.clock.now()
    if not (secret := query.get("corpsecret")):
        raise Refusal(41004)
    apps = world.apps(query.get("corpid", ""))
    if not apps:
        raise Refusal(40013 if query.get("corpid") else 41002)
    suspect = world.state.suspects.get(ip)
    if suspect is not None and now < suspect.banned_until:
        raise Refusal(45009)
    account = _owner(apps, secret)
    if account is None:
        _suspect(world, apps[0], ip, now)
        raise Refusal(40001)
    if account.settings.app_disabled:
        raise Refusal(50003)
    limits.spend(world.corp(account), account, PATH, now)
    token = _current(world, account, now)
    rest = int(world.state.tokens[token].valid_until - now)
    return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": rest}


def account_of(world: World, value: str, now: float) -> Account:
    """Whose token this is, or why it is none."""
    if not value:
        raise Refusal(41001)
    token = world.state.tokens.get(value)
    account = world.state.accounts.get(token.account) if token else None
    if token is None or account is None or account.kind is not Kind.WECOM_APP:
        raise Refusal(40014)
    if token.replaced:
        raise Refusal(40014)
    if now >= token.valid_until:
        raise Refusal(42001)
    return account


def revoke(world: World, account: Account) -> None:
    """WeCom may take a token back early, for its own reasons."""
    if token := world.state.tokens.get(account.plain_token):
        token.replaced = True
        world.is_dirty = True


def _owner(apps: list[Account], secret: str) -> Account | None:
    wanted = secret.encode()
    return next((one for one in apps if secrets.compare_digest(wanted, one.secret.encode())), None)


def _suspect(world: World, account: Account, ip: str, now: float) -> None:
    """Who goes on with wrong secrets is shut out for an hour, with good ones too."""
    suspect = world.state.suspects.setdefault(ip, Suspect())
    allowed = account.settings.wrong_secrets_before_ban
    world.is_dirty = True
    if not limits.use(suspect.wrong_secrets, now // limits.HOUR, allowed - 1):
        suspect.banned_until = now + BAN_SECONDS


def _current(world: World, account: Account, now: float) -> str:
    token = world.state.tokens.get(account.plain_token)
    if token is None or token.replaced or now >= token.valid_until:
        account.plain_token = _new(world, account, now)
    return account.plain_token


def _new(world: World, account: Account, now: float) -> str:
    tokens = world.state.tokens
    for old in [value for value, token in tokens.items() if token.valid_until < now - DAY]:
        del tokens[old]
    value = secrets.token_urlsafe(160)
    tokens[value] = Token(account.name, now + LIFETIME)
    world.is_dirty = True
    return value
