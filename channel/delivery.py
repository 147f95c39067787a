"""One push out: from a claimed ledger row to what WeChat said about it."""

from jinja2 import TemplateError

from channel.clients import official_account_client
from channel.links import entry_url
from channel.message_texts import compose
from channel.wechat.client import TemplateMessage
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.db import let_go
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.channel_accounts import channel_account, templates_of
from domain.directory.errors import AccountUnknown
from domain.pushes.models import PushStatus
from domain.pushes.service import PushOutcome, PushToSend

BAD_TEMPLATE = "template"

# What trying again cannot change, and the ledger's word for it. All else is worth another try.
PERMANENT = {
    40003: "openid",  # the openid belongs to another account
    40037: BAD_TEMPLATE,  # the template was removed from the account
    40165: BAD_TEMPLATE,  # the mini-program has no such page
    43004: "not-following",  # the receiver does not follow us
    43019: "blacklisted",  # the account's own operators blocked the receiver
    43101: "muted",  # the receiver muted this template; no event tells us so
    47003: BAD_TEMPLATE,  # a value breaks the rule of its field
}


def deliver(push: PushToSend) -> PushOutcome:
    """Send one template message. Never raises for what WeChat does; opens no transaction."""
    try:
        account = channel_account(push.channel_account_id)
    except AccountUnknown as error:  # switched off: it may be switched on again
        return PushOutcome(PushStatus.TEMPORARY_FAILURE, reason=error.code)
    template_id = templates_of(account.id).get(push.kind.value)
    let_go()
    message = _message(push, account, template_id) if template_id else None
    if message is None:
        return PushOutcome(PushStatus.PERMANENT_FAILURE, reason=BAD_TEMPLATE)
    try:
        sent = official_account_client(account).send_template_message(push.openid, message)
    except WeChatError as error:
        return _refused(error)
    except WeChatUnreachable as error:
        # Lost on the way there is worth another try; lost on the way back, nobody knows.
        lost = PushStatus.UNKNOWN if error.may_have_arrived else PushStatus.TEMPORARY_FAILURE
        return PushOutcome(lost, reason=error.code)
    return PushOutcome(PushStatus.SENT, msgid=sent.msgid)


def _message(
    push: PushToSend, account: ChannelAccountCredentials, template_id: str
) -> TemplateMessage | None:
    try:
        values = compose(push.kind, push.params)
    except TemplateError:
        return None
    return TemplateMessage(
        template_id=template_id,
        values=values,
        url=entry_url(account, push.path),
        client_msg_id=push.client_msg_id,
    )


def _refused(error: WeChatError) -> PushOutcome:
    reason = PERMANENT.get(error.errcode)
    status = PushStatus.PERMANENT_FAILURE if reason else PushStatus.TEMPORARY_FAILURE
    return PushOutcome(status, errcode=error.errcode, reason=reason)
