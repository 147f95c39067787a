"""Greeting a new contact, and what a group chat greets newcomers with.

https://developer.work.weixin.qq.com/document/path/92137
https://developer.work.weixin.qq.com/document/path/92366
"""

import secrets

from sandbox.state import Json
from sandbox.wecom import chats, corps
from sandbox.wecom.call import OK, Call
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import attachments, fields
from sandbox.wecom.external_state import GroupWelcome

SECONDS = 20
LONGEST_GROUP_TEXT = 3000  # bytes
MOST_TEMPLATES = 100
KINDS = ("image", "link", "miniprogram", "file", "video")


def send(call: Call) -> Json:
    code = fields.needed(call.body, "welcome_code", 41049)
    welcome = call.corp.welcomes.get(code)
    if welcome is None or call.now > welcome.issued_at + SECONDS:
        raise Refusal(41050)
    if welcome.used_by:
        raise Refusal(41050 if welcome.used_by == call.account.name else 41096)
    relation = corps.follow_of(call.corp, welcome.userid, welcome.external_userid)
    if relation is not None and relation.chat_started:
        raise Refusal(41051)
    content = attachments.content(call)
    welcome.used_by = call.account.name
    chats.say_all(
        call.world,
        call.corp,
        welcome.userid,
        welcome.external_userid,
        content.get("text"),
        content["attachments"],
        via=chats.WELCOME,
    )
    return OK


def add_template(call: Call) -> Json:
    known = call.corp.external.group_welcomes
    if len(known) >= MOST_TEMPLATES:
        raise Refusal(41055)
    fields.flag(call.body, "notify", default=True)
    template_id = f"msg{secrets.token_hex(15)}"
    known[template_id] = GroupWelcome(template_id, call.account.name, _content(call))
    return OK | {"template_id": template_id}


def edit_template(call: Call) -> Json:
    _template(call).content = _content(call)
    return OK


def get_template(call: Call) -> Json:
    return OK | _template(call).content


def delete_template(call: Call) -> Json:
    del call.corp.external.group_welcomes[_template(call).template_id]
    return OK


def _content(call: Call) -> Json:
    """Text, one thing beside it, or both."""
    text = attachments.message_text(call.body, LONGEST_GROUP_TEXT)
    kinds = [kind for kind in KINDS if call.body.get(kind)]
    if not text and not kinds:
        raise Refusal(40063, detail="text")
    answer: Json = {"text": {"content": text}} if text else {}
    for kind in kinds[:1]:
        given = {"msgtype": kind, kind: call.body[kind]}
        answer[kind] = attachments.attachment(call, given)[kind]
    return answer


def _template(call: Call) -> GroupWelcome:
    """Only of templates that this app made."""
    wanted = fields.needed(call.body, "template_id")
    template = call.corp.external.group_welcomes.get(wanted)
    if template is None or template.app != call.account.name:
        raise fields.bad("invalid template_id")
    return template
