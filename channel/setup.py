"""Making an account ready: which template carries which message, and the menu."""

from channel.clients import miniprogram_client, official_account_client
from channel.links import entry_url
from channel.message_texts import recognise
from core.db import let_go
from core.errors import Conflict
from domain.directory.access import Actor
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import templates_of
from domain.directory.message_templates import TemplatesSynced, sync_templates
from domain.pushes.models import MessageKind


class NoTemplatesThere(Conflict):
    code, message = "no_templates_there", "企业微信应用发文字消息，没有消息模板"


def set_up_account(account: ChannelAccountCredentials) -> list[str]:
    """Read the account's templates, set its menu; the messages that no template carries yet."""
    read_templates(Actor.system(), account)
    if account.kind is ChannelKind.OFFICIAL_ACCOUNT:
        official_account_client(account).set_menu(
            [
                {"type": "view", "name": "我的工资条", "url": entry_url(account, "/me/payslips")},
                {"type": "view", "name": "我的", "url": entry_url(account, "/me/account")},
            ]
        )
    used = templates_of(account.id)
    return [kind.value for kind in MessageKind if kind.value not in used]


def read_templates(actor: Actor, account: ChannelAccountCredentials) -> TemplatesSynced:
    """Ask the platform what templates the account has, and keep the answer."""
    if account.kind is ChannelKind.WECOM_APP:
        raise NoTemplatesThere
    is_miniprogram = account.kind is ChannelKind.MINIPROGRAM
    client = miniprogram_client(account) if is_miniprogram else official_account_client(account)
    used = templates_of(account.id)
    let_go()
    return sync_templates(actor, account.id, recognise(client.list_templates(), used))
