"""A finding: what was looked at, how it stands, what to do about it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Protocol

from domain.directory.accounts import ChannelKind


class Verdict(StrEnum):
    WELL = "well"
    BROKEN = "broken"
    UNKNOWN = "unknown"  # could not be looked at, or says nothing yet: no fault


@dataclass(frozen=True, slots=True)
class Finding:
    """``id`` is for programs, ``check`` for people; ``advice`` is empty when nothing is to be done.

    ``account`` is the channel account's name; empty for what belongs to the whole installation.
    """

    id: str
    check: str
    verdict: Verdict
    says: str
    advice: str = ""
    account: str = ""

    @property
    def is_broken(self) -> bool:
        return self.verdict is Verdict.BROKEN


class Named(Protocol):
    """A channel account, with its secrets or without."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> ChannelKind: ...


class Check(StrEnum):
    """The checks of an account."""

    TOKEN = "token"  # noqa: S105 -- the name of a check
    ALLOWLIST = "ip-allowlist"
    AGENT = "agent"
    TEMPLATE_API = "permission-templates"
    FOLLOWER_API = "permission-followers"
    MEMBER_API = "permission-members"
    CUSTOMER_API = "permission-customers"
    TEMPLATES = "templates"
    TICKETS = "js-tickets"
    CALLBACK = "callback"
    NETWORK = "callback-network"
    ARRIVALS = "callback-arrivals"


TITLES = {
    Check.TOKEN: "密钥和凭证",
    Check.ALLOWLIST: "出口 IP",
    Check.AGENT: "应用编号",
    Check.TEMPLATE_API: "模板消息接口",
    Check.FOLLOWER_API: "用户接口",
    Check.MEMBER_API: "通讯录接口",
    Check.CUSTOMER_API: "客户联系接口",
    Check.TEMPLATES: "消息模板",
    Check.TICKETS: "网页票据",
    Check.CALLBACK: "回调地址",
    Check.NETWORK: "外网连通",
    Check.ARRIVALS: "回调到达",
}
KIND_WORDS = {
    ChannelKind.OFFICIAL_ACCOUNT: "公众号",
    ChannelKind.WECOM_APP: "企业微信应用",
    ChannelKind.MINIPROGRAM: "小程序",
}


def finding(account: Named, check: Check, verdict: Verdict, says: str, advice: str = "") -> Finding:
    name = f"{KIND_WORDS[account.kind]} {account.name}"
    title = name if check is Check.TOKEN else f"{name} 的{TITLES[check]}"
    return Finding(check.value, title, verdict, says, advice, account.name)


# --- what the platforms' refusals mean ------------------------------------------------------

SECRET_REFUSED = frozenset({40001, 40125})
ADDRESS_REFUSED = frozenset({40164, 60020})

_ROTATE = "核对后运行 xinqiao accounts rotate {name} --secret 新密钥"
_ADD_ANEW = "登记错了就停用它，换一个名称重新添加"
_WECHAT = {
    40001: "AppSecret 不对或已重置。" + _ROTATE,
    40013: "appid 不对。请核对公众平台里的开发者 ID；" + _ADD_ANEW,
    40125: "AppSecret 不对或已重置。" + _ROTATE,
    40037: "没有可用的消息模板。按“消息模板”页里写的添加，再点“立即同步”",
    40164: "在公众平台“设置与开发 → 开发接口管理”的 IP 白名单里加入{ip}，一分钟后再查",
    40201: "公众平台里还没有填服务器地址，或填的地址打不开",
    40243: "AppSecret 已被冻结。在公众平台“开发接口管理”里解冻，再查",
    45009: "当天的接口次数已用完。明天零点恢复，或在公众平台申请提额",
    47003: "消息里有字段不符合微信的规则，没有发出。在“消息模板”页预览这条消息，看是哪一项",
    48001: "公众号没有这个接口的权限。请确认它是已认证的服务号，并在“接口权限”里开通",
    50002: "账号被微信限制使用。请登录公众平台看站内通知",
}
_WECOM = {
    40001: "应用的 Secret 不对。" + _ROTATE + "；反复使用错的密钥会被封禁一小时",
    40013: "corpid 不对。请核对“我的企业 → 企业信息”里的企业 ID；" + _ADD_ANEW,
    40056: "agentid 不对。请核对应用详情页的 AgentId；" + _ADD_ANEW,
    45009: "调用过于频繁，被企业微信暂时封禁。等窗口过去会自动恢复",
    48002: "在管理后台“客户联系 → 客户 → API → 可调用接口的应用”里勾选本应用",
    48009: "在管理后台“客户联系 → 客户 → API → 可调用接口的应用”里勾选本应用",
    50003: "应用已被停用。在管理后台“应用管理”里启用它",
    60011: "应用的可见范围不够。在应用详情页“可见范围”里加入要服务的成员",
    60020: "在管理后台应用详情页的“企业可信 IP”里加入{ip}，一分钟后再查",
    301002: "agentid 和 Secret 不是同一个应用的。请核对应用详情页；" + _ADD_ANEW,
}
_ELSE = {
    ChannelKind.OFFICIAL_ACCOUNT: "按返回码查文档：developers.weixin.qq.com 的全局返回码",
    ChannelKind.WECOM_APP: "按返回码查文档：developer.work.weixin.qq.com/devtool/query",
}
_ELSE[ChannelKind.MINIPROGRAM] = _ELSE[ChannelKind.OFFICIAL_ACCOUNT]

_ADDRESS = re.compile(r"\b(?:invalid|from) ip:? ?([0-9A-Fa-f:.]{3,45})")


def advice_for(account: Named, errcode: int, errmsg: str = "") -> str:
    """What to do about a refusal, in words."""
    known = _WECOM if account.kind is ChannelKind.WECOM_APP else _WECHAT
    advice = known.get(errcode, _ELSE[account.kind])
    address = refused_address(errmsg)
    return advice.format(name=account.name, ip=f" {address}" if address else "本机的出口 IP")


def refused_address(errmsg: str) -> str:
    """Which of our addresses a refusal names; empty when it names none."""
    named = _ADDRESS.search(errmsg)
    text = named[1].rstrip(".:") if named else ""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
