"""Access tokens: the kind that replaces itself, and the stable kind. They are strangers."""

import secrets

from sandbox.clock import china_day
from sandbox.state import Account, Json, Token
from sandbox.wechat.errors import Refusal
from sandbox.world import World

LIFETIME = 7200
RENEWED_BEFORE_EXPIRY = 300
FORCED_PER_DAY = 20
SECONDS_BETWEEN_FORCED = 30


def issue(world: World, account: Account) -> Json:
    """``/cgi-bin/token``: always a new one; the one before lives on for some minutes."""
    now = world.clock.now()
    previous = world.state.tokens.get(account.plain_token)
    if previous is not None:
        overlap = now + account.settings.old_token_overlap_seconds
        previous.valid_until = min(previous.valid_until, overlap)
        previous.replaced = True
    account.plain_token = _new_token(world, account, now)
    return {"access_token": account.plain_token, "expires_in": LIFETIME}


def issue_stable(world: World, account: Account, *, force: bool) -> Json:
    """``/cgi-bin/stable_token``: the same one while it is good; by force a new one at once."""
    now = world.clock.now()
    stable = account.stable_token
    force = force and _may_force(account, now)
    if stable.value and not force and stable.valid_until - now > RENEWED_BEFORE_EXPIRY:
        return {"access_token": stable.value, "expires_in": int(stable.valid_until - now)}
    if force:
        stable.forced_at = now
        stable.forced_today.count += 1
        if old := world.state.tokens.get(stable.value):
            old.valid_until, old.replaced = now, True
    stable.value, stable.valid_until = _new_token(world, account, now), now + LIFETIME
    return {"access_token": stable.value, "expires_in": LIFETIME}


def account_of(world: World, token: str, now: float) -> Account:
    """Whose token this is, or why it is none."""
    if not token:
        raise Refusal(41001)
    known = world.state.tokens.get(token)
    if known is None:
        raise Refusal(40001)
    if now >= known.valid_until:
        raise Refusal(40001 if known.replaced else 42001)
    return world.state.accounts[known.account]


def _may_force(account: Account, now: float) -> bool:
    stable, today = account.stable_token, china_day(now)
    if stable.forced_today.period != today:
        stable.forced_today.period, stable.forced_today.count = today, 0
    rested = now - stable.forced_at >= SECONDS_BETWEEN_FORCED
    return rested and stable.forced_today.count < FORCED_PER_DAY


def _new_token(world: World, account: Account, now: float) -> str:
    for value in [
        one for one, token in world.state.tokens.items() if token.valid_until < now - 86_400
    ]:
        del world.state.tokens[value]
    value = f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(100)[:133]}"
    world.state.tokens[value] = Token(account.name, now + LIFETIME)
    world.is_dirty = True
    return value
