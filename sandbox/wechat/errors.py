"""How the official-account API says no: always HTTP 200, an errcode and a request id."""

import secrets

from sandbox.state import Json

TEXTS = {
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by "
    "getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40023: "invalid sub button size",
    40025: "invalid sub button name size",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40035: "invalid parameter",
    40037: "invalid template_id",
    40052: "invalid action name",
    40053: "invalid action info, please check document",
    40125: "invalid appsecret, view more at http://t.cn/RAEkdVq",
    40163: "code been used",
    40243: "AppSecret has been frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    42001: "access_token expired",
    42002: "refresh_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    43019: "require remove blacklist",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45026: "template num exceeds limit",
    45047: "out of response count limit",
    45056: "too many tag now, no need to add new",
    45157: "invalid tag name",
    45158: "tag name too long",
    45159: "invalid tag",
    46003: "menu no exist",
    47001: "data format error",
    48001: "api unauthorized",
    48006: "forbid to clear quota because of reaching the limit",
    76003: "cgi_path not found, please check",
}


class Refusal(Exception):
    """One errcode, with the platform's own words unless others are given."""

    def __init__(self, errcode: int, errmsg: str | None = None) -> None:
        self.errcode = errcode
        self.errmsg = errmsg or TEXTS.get(errcode, "system error")
        super().__init__(f"{errcode}: {self.errmsg}")

    def as_answer(self, now: float, separator: str = " rid: ") -> Json:
        return {"errcode": self.errcode, "errmsg": f"{self.errmsg}{separator}{rid(now)}"}


def rid(now: float) -> str:
    noise = secrets.token_hex(8)
    return f"{int(now):08x}-{noise[:8]}-{noise[8:]}"
