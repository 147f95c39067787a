"""How often the platforms may be called, with the page that says so.

Official accounts' daily numbers are those of a new account: they grow with its followers, and
``openapi/quota/get`` tells the real one, which the budget then learns.
"""

from dataclasses import dataclass

from domain.directory.accounts import ChannelKind

MINUTE, HOUR, CHINA_DAY = 60, 3600, 86400

WECOM_PAGE = "https://developer.work.weixin.qq.com/document/path/90312"
TICKET_PAGE = "https://developer.work.weixin.qq.com/document/path/90506"
APPROVAL_PAGE = "https://developer.work.weixin.qq.com/document/path/91982"
QUOTA_PAGE = "https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/rate_limit.html"
STABLE_PAGE = "https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html"
CODE_PAGE = "https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/qr-code/getUnlimitedQRCode.html"
LINK_PAGE = "https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/url-link/generateUrlLink.html"

# What may come at once; the rest is spread over the window.
BURST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Limit:
    """``calls`` in every ``seconds``. A day is China's, and may be used up at any hour of it.

    ``api``: several APIs that are counted together, under this name. ``counts``: what has a
    bucket of its own: an "owner" (appid, corpid), an "app" of a corp, or our "address", which
    all owners share. ``is_shared``: a lower priority leaves something to higher ones.
    """

    calls: int
    seconds: int
    source: str
    api: str = ""
    counts: str = "owner"
    is_shared: bool = True

    @property
    def window(self) -> str:
        return {MINUTE: "minute", HOUR: "hour", CHINA_DAY: "day"}[self.seconds]

    @property
    def burst_share(self) -> float:
        return 0.0 if self.seconds == CHINA_DAY else BURST_SHARE

    def owner(self, owner: str, app: str) -> str:
        return {"owner": owner, "app": f"{owner}:{app}", "address": "address"}[self.counts]


WECOM_ANY = (
    Limit(10_000, MINUTE, WECOM_PAGE),
    Limit(150_000, HOUR, WECOM_PAGE),
    Limit(20_000, MINUTE, WECOM_PAGE, api="*", counts="address"),
    Limit(600_000, HOUR, WECOM_PAGE, api="*", counts="address"),
)
_APPROVAL = (Limit(600, MINUTE, APPROVAL_PAGE), *WECOM_ANY[1:])

WECOM = {
    "/cgi-bin/get_jsapi_ticket": (Limit(400, HOUR, TICKET_PAGE), *WECOM_ANY[2:]),
    "/cgi-bin/ticket/get": (Limit(100, HOUR, TICKET_PAGE, counts="app"), *WECOM_ANY[2:]),
    "/cgi-bin/oa/gettemplatedetail": _APPROVAL,
    "/cgi-bin/oa/applyevent": _APPROVAL,
    "/cgi-bin/oa/getapprovalinfo": _APPROVAL,
    "/cgi-bin/oa/getapprovaldetail": _APPROVAL,
}

_LINKS = (Limit(500_000, CHINA_DAY, LINK_PAGE, api="wxa-links"),)

WECHAT = {
    "/cgi-bin/stable_token": (
        Limit(10_000, MINUTE, STABLE_PAGE),
        Limit(500_000, CHINA_DAY, STABLE_PAGE),
    ),
    "/cgi-bin/menu/create": (Limit(1_000, CHINA_DAY, QUOTA_PAGE),),
    "/cgi-bin/menu/get": (Limit(10_000, CHINA_DAY, QUOTA_PAGE),),
    "/cgi-bin/user/get": (Limit(500, CHINA_DAY, QUOTA_PAGE, is_shared=False),),
    "/cgi-bin/user/info": (Limit(5_000_000, CHINA_DAY, QUOTA_PAGE),),
    "/cgi-bin/message/custom/send": (Limit(500_000, CHINA_DAY, QUOTA_PAGE),),
    "/cgi-bin/message/template/send": (Limit(100_000, CHINA_DAY, QUOTA_PAGE),),
    "/wxa/getwxacodeunlimit": (Limit(5_000, MINUTE, CODE_PAGE),),
    "/wxa/generate_urllink": _LINKS,
    "/wxa/generatescheme": _LINKS,
}


# A number of times for each person: one who is refused must not stop the others.
COUNTED_PER_PERSON = frozenset(
    {
        "/sns/jscode2session",  # 100 a minute
    }
)


def limits_of(kind: ChannelKind, api: str) -> tuple[Limit, ...]:
    """What is known to hold for a call of ``api`` (its path)."""
    if kind is ChannelKind.WECOM_APP:
        return WECOM.get(api, WECOM_ANY)
    return WECHAT.get(api, ())
