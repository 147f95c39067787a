"""Links that leave the house in messages and menus."""

from urllib.parse import urlencode

from core.settings import get_settings
from domain.directory.accounts import ChannelAccountCredentials


def entry_url(account: ChannelAccountCredentials, path: str) -> str:
    """Our page behind the entrance that asks WeChat anew who taps: a message may be opened on
    another's phone."""
    query = urlencode({"account": account.name, "to": path})
    return f"{get_settings().public_url}/me/open?{query}"


def invitation_url(app: ChannelAccountCredentials, code: str) -> str:
    """Where a user of the desk is bound to the WeCom member who opens it and scans."""
    query = urlencode({"account": app.name, "invitation": code})
    return f"{get_settings().public_url}/hr/signin/wecom?{query}"
