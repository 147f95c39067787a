"""Template messages, customer-service messages and the templates themselves."""

from sandbox.state import Account, Fan, Json, Message, Template, Window
from sandbox.wechat import events
from sandbox.wechat.call import Call
from sandbox.wechat.errors import Refusal
from sandbox.wechat.fields import shown_values
from sandbox.wechat.library import BY_SHORT_ID, LibraryEntry, template_from

DEDUPLICATED_SECONDS = 600
LONGEST_CLIENT_MSG_ID = 32
MOST_TEMPLATES = 25
LONG_TERM = 3
INDUSTRIES = {
    "1": ("IT科技", "互联网|电子商务"),
    "7": ("金融业", "银行"),
    "8": ("金融业", "基金|理财|信托"),
    "9": ("金融业", "保险"),
}
CUSTOM_KINDS = frozenset(
    {
        "text",
        "image",
        "voice",
        "video",
        "music",
        "news",
        "mpnewsarticle",
        "msgmenu",
        "wxcard",
        "miniprogrampage",
    }
)


def send_template(call: Call) -> Json:
    world, account, body = call.world, call.account, call.body
    fan = call.fan(body.get("touser"))
    template = account.templates.get(str(body.get("template_id")))
    if template is None:
        raise Refusal(40037)
    _require_reachable(fan, template)
    values = shown_values(template, body.get("data"), account.settings)
    client_msg_id = str(body.get("client_msg_id") or "")
    if len(client_msg_id) > LONGEST_CLIENT_MSG_ID:
        raise Refusal(47003, "argument invalid! client_msg_id invalid")
    if (earlier := _sent_before(call, fan, client_msg_id)) is not None:
        world.stats.messages["duplicates"] += 1
        return {"errcode": 0, "errmsg": "ok", "msgid": earlier}

    msgid = world.next_id()
    world.stats.messages["accepted"] += 1
    message = _template_message(call, fan, msgid, values)
    if client_msg_id:
        world.remember_send(message)
    if events.is_delivered(account, fan):
        world.stats.messages["delivered"] += 1
        world.deliver(account, fan, message)
    events.template_result(world, account, fan, msgid)
    return {"errcode": 0, "errmsg": "ok", "msgid": msgid}


def _require_reachable(fan: Fan, template: Template) -> None:
    if not fan.subscribed:
        raise Refusal(43004)
    if fan.blacklisted:
        raise Refusal(43019)
    if template.template_id in fan.muted:
        raise Refusal(43101)


def _template_message(call: Call, fan: Fan, msgid: int, values: dict[str, str]) -> Message:
    miniprogram = call.body.get("miniprogram")
    return Message(
        msgid=msgid,
        account=call.account.name,
        openid=fan.openid,
        kind="template",
        at=call.now,
        template_id=call.body["template_id"],
        client_msg_id=str(call.body.get("client_msg_id") or ""),
        url=str(call.body.get("url") or ""),
        data=values,
        extra={"miniprogram": miniprogram} if miniprogram else {},
    )


def _sent_before(call: Call, fan: Fan, client_msg_id: str) -> int | None:
    if not client_msg_id:
        return None
    sends = call.world.recent_sends
    # The oldest come first, so forgetting stops at the first one that still counts.
    while (
        sends
        and (oldest := next(iter(sends)))
        and sends[oldest][0] <= call.now - DEDUPLICATED_SECONDS
    ):
        del sends[oldest]
    earlier = sends.get((call.account.name, fan.openid, client_msg_id))
    return earlier[1] if earlier else None


def send_custom(call: Call) -> Json:
    fan = call.fan(call.body.get("touser"))
    kind = str(call.body.get("msgtype"))
    content = call.body.get(kind)
    if kind not in CUSTOM_KINDS or not isinstance(content, dict):
        raise Refusal(40008, "invalid message type")
    if kind == "news" and not _are_articles(content.get("articles")):
        raise Refusal(45008, "article size out of limit")
    _use_window(fan, call.now)
    call.world.deliver(call.account, fan, custom_message(call, fan, kind, content))
    return {"errcode": 0, "errmsg": "ok"}


def _are_articles(articles: object) -> bool:
    """A customer-service message holds one article, of the many it held once."""
    return isinstance(articles, list) and len(articles) == 1 and isinstance(articles[0], dict)


def custom_message(call: Call, fan: Fan, kind: str, content: Json) -> Message:
    return Message(
        msgid=call.world.next_id(),
        account=call.account.name,
        openid=fan.openid,
        kind=kind,
        at=call.now,
        content=str(content.get("content") or content.get("head_content") or ""),
        extra={} if kind == "text" else content,
    )


def _use_window(fan: Fan, now: float) -> None:
    """Tapping and scanning open a short window, writing a long one; the short is used first."""
    open_windows = [one for one in (fan.touched, fan.wrote) if now < one.until]
    if not fan.subscribed or not open_windows:
        raise Refusal(45015)
    usable: Window | None = next((one for one in open_windows if one.left), None)
    if usable is None:
        raise Refusal(45047)
    usable.left -= 1


def show_typing(call: Call) -> Json:
    call.fan(call.body.get("touser"))
    return {"errcode": 0, "errmsg": "ok"}


def list_templates(call: Call) -> Json:
    first, second = (INDUSTRIES[code] for code in call.account.industries)
    return {
        "template_list": [
            {
                "template_id": template.template_id,
                "title": template.title,
                "primary_industry": first[0],
                "deputy_industry": second[1],
                "content": template.content,
                "example": template.example,
            }
            for template in call.account.templates.values()
        ]
    }


def list_subscriptions(call: Call) -> Json:
    return {
        "errcode": 0,
        "errmsg": "ok",
        "data": [
            {
                "priTmplId": template.template_id,
                "title": template.title,
                "content": template.content,
                "example": template.example,
                "type": LONG_TERM,
            }
            for template in call.account.templates.values()
        ],
    }


def add_template(call: Call) -> Json:
    entry = BY_SHORT_ID.get(str(call.body.get("template_id_short")))
    if entry is None:
        raise Refusal(40037)
    if len(call.account.templates) >= MOST_TEMPLATES:
        raise Refusal(45026)
    template = _copy_of(call.account, entry)
    call.account.templates[template.template_id] = template
    return {"errcode": 0, "errmsg": "ok", "template_id": template.template_id}


def _copy_of(account: Account, entry: LibraryEntry) -> Template:
    for copy in range(MOST_TEMPLATES + 1):
        template = template_from(account.appid, entry, copy)
        if template.template_id not in account.templates:
            return template
    raise Refusal(45026)


def delete_template(call: Call) -> Json:
    if call.account.templates.pop(str(call.body.get("template_id")), None) is None:
        raise Refusal(40037)
    return {"errcode": 0, "errmsg": "ok"}


def set_industry(call: Call) -> Json:
    first, second = str(call.body.get("industry_id1")), str(call.body.get("industry_id2"))
    if first not in INDUSTRIES or second not in INDUSTRIES:
        raise Refusal(40102, "invalid industry id")
    call.account.industries = (first, second)
    return {"errcode": 0, "errmsg": "ok"}


def get_industry(call: Call) -> Json:
    names = ("primary_industry", "secondary_industry")
    pairs = (INDUSTRIES[code] for code in call.account.industries)
    return {
        name: {"first_class": first, "second_class": second}
        for name, (first, second) in zip(names, pairs, strict=True)
    }
