"""Making an official account ready: which template carries which message, and the menu."""

from channel.clients import official_account_client
from channel.links import entry_url
from channel.message_texts import match_templates
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.channel_accounts import set_templates
from domain.pushes.models import MessageKind


def set_up_account(account: ChannelAccountCredentials) -> list[str]:
    """Read the account's templates, set its menu; the messages that no template carries yet."""
    client = official_account_client(account)
    templates = match_templates(client.list_templates())
    set_templates(account.id, templates)
    client.set_menu(
        [
            {"type": "view", "name": "我的工资条", "url": entry_url(account, "/me/payslips")},
            {"type": "view", "name": "我的", "url": entry_url(account, "/me/account")},
        ]
    )
    return [kind.value for kind in MessageKind if kind.value not in templates]
