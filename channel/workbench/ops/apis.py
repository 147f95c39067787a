"""Chinese names for what we call at the platforms; a path nobody named stays a path."""

from dataclasses import dataclass

from channel.workbench.pushes import KINDS
from domain.directory.accounts import ChannelKind
from domain.pushes.models import MessageKind

WECHAT = {
    "/cgi-bin/stable_token": "获取令牌",
    "/cgi-bin/token": "获取令牌",
    "/cgi-bin/message/template/send": "公众号模板消息",
    "/cgi-bin/message/subscribe/send": "小程序订阅消息",
    "/cgi-bin/message/subscribe/bizsend": "公众号订阅通知",
    "/cgi-bin/message/custom/send": "公众号客服消息",
    "/cgi-bin/template/get_all_private_template": "读取公众号消息模板",
    "/wxaapi/newtmpl/gettemplate": "读取小程序订阅消息模板",
    "/cgi-bin/menu/create": "设置公众号菜单",
    "/cgi-bin/menu/get": "读取公众号菜单",
    "/cgi-bin/user/get": "读取关注者名单",
    "/cgi-bin/user/info": "读取关注者",
    "/cgi-bin/user/info/batchget": "批量读取关注者",
    "/cgi-bin/qrcode/create": "生成公众号二维码",
    "/cgi-bin/ticket/getticket": "获取网页签名票据",
    "/cgi-bin/callback/check": "检查回调网络",
    "/cgi-bin/getcallbackip": "读取微信的回调地址",
    "/cgi-bin/openapi/quota/get": "查询调用额度",
    "/sns/oauth2/access_token": "网页登录",
    "/sns/userinfo": "读取网页登录的用户",
    "/sns/jscode2session": "小程序登录",
    "/wxa/getwxacodeunlimit": "生成小程序码",
    "wxa-links": "生成打开小程序的链接",
    "/wxa/generate_urllink": "生成打开小程序的链接",
    "/wxa/generatescheme": "生成打开小程序的链接",
    "/wxa/business/getuserphonenumber": "读取小程序用户手机号",
}
WECOM = {
    "*": "全部接口合计",
    "/cgi-bin/gettoken": "获取令牌",
    "/cgi-bin/message/send": "企业微信应用消息",
    "/cgi-bin/message/recall": "撤回企业微信应用消息",
    "/cgi-bin/message/update_template_card": "更新企业微信卡片",
    "/cgi-bin/get_jsapi_ticket": "获取企业网页签名票据",
    "/cgi-bin/ticket/get": "获取应用网页签名票据",
    "/cgi-bin/auth/getuserinfo": "企业微信登录",
    "/cgi-bin/agent/get": "读取应用",
    "/cgi-bin/user/get": "读取成员",
    "/cgi-bin/user/list_id": "读取成员名单",
    "/cgi-bin/department/list": "读取部门",
    "/cgi-bin/media/upload": "上传素材",
    "/cgi-bin/getcallbackip": "读取企业微信的回调地址",
    "/cgi-bin/externalcontact/list": "读取客户名单",
    "/cgi-bin/externalcontact/get": "读取客户",
    "/cgi-bin/externalcontact/batch/get_by_user": "批量读取客户",
    "/cgi-bin/externalcontact/send_welcome_msg": "发送欢迎语",
    "/cgi-bin/externalcontact/add_msg_template": "客户群发",
    "/cgi-bin/oa/applyevent": "提交审批",
    "/cgi-bin/oa/getapprovalinfo": "读取审批单号",
    "/cgi-bin/oa/getapprovaldetail": "读取审批",
    "/cgi-bin/oa/gettemplatedetail": "读取审批模板",
}


@dataclass(frozen=True, slots=True)
class Api:
    """``message``: the kind of our messages that alone is meant. Without a name of ours, the path
    is the name."""

    name: str
    path: str
    message: MessageKind | None = None


def api_of(kind: ChannelKind, api: str) -> Api:
    """Of an alarm's or a budget's api: a path, maybe with ``#kind`` or ``#kind.field`` of a
    message."""
    path, _, about = api.partition("#")
    names = WECOM if kind is ChannelKind.WECOM_APP else WECHAT
    name = names.get(path, "")
    if not about:
        return Api(name, "" if path == "*" else path)
    message, _, field = about.partition(".")
    said = [name or path, KINDS[MessageKind(message)], f"字段 {field}" if field else ""]
    return Api(" · ".join(filter(None, said)), path, MessageKind(message))
