"""How often an account may call: by day, by minute, and how a developer looks at it."""

from sandbox.clock import china_day, china_month
from sandbox.state import Account, Json
from sandbox.values import Usage
from sandbox.wechat.errors import Refusal

TEMPLATE_SEND = "/cgi-bin/message/template/send"
CUSTOM_SEND = "/cgi-bin/message/custom/send"

# A new account's limits; ``settings.quotas`` of an account changes them.
PER_DAY = {
    "/cgi-bin/token": 2_000,
    "/cgi-bin/stable_token": 500_000,
    "/cgi-bin/menu/create": 1_000,
    "/cgi-bin/menu/get": 10_000,
    "/cgi-bin/user/get": 500,
    "/cgi-bin/user/info": 5_000_000,
    TEMPLATE_SEND: 100_000,
    CUSTOM_SEND: 500_000,
    "/cgi-bin/qrcode/create": 100_000,
}
PER_MINUTE = {"/cgi-bin/stable_token": 10_000}
CLEARS_PER_MONTH = 10


def spend(account: Account, path: str, now: float) -> None:
    """Count one call and refuse it when it is one too many."""
    if (limit := daily_limit(account, path)) is not None:
        _count(account.usage, path, china_day(now), limit, 45009)
    if (limit := PER_MINUTE.get(path)) is not None:
        _count(account.usage_per_minute, path, int(now // 60), limit, 45011)


def daily_limit(account: Account, path: str) -> int | None:
    return account.settings.quotas.get(path, PER_DAY.get(path))


def look_at(account: Account, path: str, now: float) -> Json:
    limit = daily_limit(account, path)
    if limit is None:
        raise Refusal(76003)
    usage = account.usage.get(path)
    used = usage.count if usage and usage.period == china_day(now) else 0
    return {
        "quota": {"daily_limit": limit, "used": used, "remain": limit - used},
        "rate_limit": {"call_count": PER_MINUTE.get(path, 0), "refresh_second": 60},
    }


def clear(account: Account, now: float) -> None:
    month = china_month(now)
    if account.quota_clears.get(month, 0) >= CLEARS_PER_MONTH:
        raise Refusal(48006)
    account.quota_clears = {month: account.quota_clears.get(month, 0) + 1}
    account.usage.clear()


def _count(usages: dict[str, Usage], path: str, period: int, limit: int, errcode: int) -> None:
    usage = usages.setdefault(path, Usage())
    if usage.period != period:
        usage.period, usage.count = period, 0
    if usage.count >= limit:
        raise Refusal(errcode)
    usage.count += 1
