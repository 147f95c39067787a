"""How WeCom says no: HTTP 200, an errcode, mostly a hint, and often empty fields beside it.

https://developer.work.weixin.qq.com/document/path/90313
"""

import secrets

from sandbox.state import Json

TEXTS = {
    -1: "system busy",
    40001: "invalid credential",
    40003: "invalid userid",
    40004: "invalid media type",
    40005: "invalid type",
    40006: "invalid media size",
    40007: "invalid media_id",
    40008: "invalid msgtype",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40029: "invalid code",
    40031: "invalid userid list",
    40032: "invalid userid list size",
    40033: "invalid charset",
    40035: "invalid parameter",
    40050: "chatid not exist",
    40056: "invalid agentid",
    40057: "invalid callbackurl",
    40058: "invalid request parameter",
    40063: "some parameters are empty",
    40066: "invalid party list",
    40068: "invalid tagid",
    40070: "all of the tags are invalid",
    40071: "tag name already exists",
    40073: "invalid openid",
    40074: "news message does not support safe",
    40088: "jobid not exist",
    40093: "invalid jsapi_ticket",
    40096: "invalid external userid",
    40097: "invalid args",
    40098: "the user has not been verified by real name",
    40099: "external contact count out of limit",
    40100: "the external contact is being transferred",
    40126: "corp tag count out of limit",
    40128: "the customer was transferred too often",
    40129: "the customer is being transferred",
    40130: "handover and takeover are the same",
    40131: "handover_userid does not follow the customer",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41005: "missing media data",
    41006: "missing media_id",
    41008: "missing code",
    41009: "missing userid",
    41010: "missing url",
    41011: "missing agentid",
    41016: "missing title",
    41033: "missing description",
    41035: "missing external userid",
    41037: "missing contact way type",
    41038: "missing contact way scene",
    41039: "invalid contact way type",
    41040: "invalid contact way scene",
    41041: "contact way user count out of limit",
    41043: "missing contact way config_id",
    41044: "invalid contact way config_id",
    41045: "contact way count out of limit",
    41046: "missing group message id",
    41047: "invalid group message id",
    41048: "no customer to send",
    41049: "missing welcome_code",
    41050: "invalid welcome_code",
    41051: "externaluser has started chatting",
    41054: "the user has not been activated",
    41055: "group welcome template count out of limit",
    41057: "the corp is not bound to an open platform account",
    41059: "missing moment_id",
    41060: "invalid moment_id",
    41061: "the user is not a sender of the moment",
    41062: "the moment is not published by the user",
    41063: "the message is being created, try again later",
    41065: "invalid attachment type",
    41096: "another app is sending the welcome message",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "the user is not bound to WeChat",
    44001: "empty media data",
    44004: "empty content",
    45001: "media size out of limit",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    45035: "the object is being changed by another call",
    46004: "user not exist",
    48002: "api forbidden",
    50001: "redirect_uri is not trusted",
    50003: "app is disabled",
    60003: "department not found",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60103: "invalid mobile",
    60111: "userid not found",
    60123: "invalid department id",
    81011: "no privilege to modify the tag",
    81013: "user & party & tag all invalid",
    81017: "invalid owner or userid list",
    82001: "no valid user, party or tag",
    82002: "party list size out of limit",
    82003: "tag list size out of limit",
    84014: "user_ticket expired",
    84015: "invalid user_ticket",
    84061: "not external contact",
    90500: "the owner of the chat has not resigned",
    90501: "not a customer group chat",
    90502: "the owner of the chat has resigned",
    90504: "the owner of the chat did not change",
    90508: "the chat has been handed over already",
    301002: "not allow operate another agent with this accesstoken",
    301025: "invalid parameter of the approval interface",
    701008: "the corp has no licence",
}
BARE = frozenset({40014, 42001})  # answered without a hint
MORE_INFO = "https://open.work.weixin.qq.com/devtool/query?e="


class Refusal(Exception):
    """One errcode. ``errmsg`` replaces WeCom's own words, ``detail`` follows them."""

    def __init__(self, errcode: int, errmsg: str | None = None, *, detail: str = "") -> None:
        self.errcode = errcode
        self.errmsg = errmsg or TEXTS.get(errcode, "system error")
        if detail:
            self.errmsg += f": {detail}"
        super().__init__(f"{errcode}: {self.errmsg}")

    def as_answer(self, now: float, ip: str, defaults: Json | None = None) -> Json:
        answer: Json = {"errcode": self.errcode, "errmsg": self.errmsg}
        if self.errcode not in BARE:
            hint = f"{int(now)}{secrets.randbelow(10**14):014d}"
            more = f"{MORE_INFO}{self.errcode}"
            answer["errmsg"] += f", hint: [{hint}], from ip: {ip}, more info at {more}"
        return answer | (defaults or {})
