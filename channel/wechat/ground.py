"""What official accounts and mini-programs have in common: the stable token."""

from typing import Any

from channel import budget
from channel.answers import Answer, read
from channel.budget import BudgetExhausted
from channel.platform import PlatformClient, TokenAnswer
from channel.tokens import FetchedToken
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.transport import Request

QUOTA = "/cgi-bin/openapi/quota/get"


class Quota(Answer):
    """A day's calls of one API."""

    daily_limit: int
    used: int
    remain: int


class _QuotaAnswer(Answer):
    quota: Quota


class WechatClient(PlatformClient):
    def fetch_stable_token(self) -> FetchedToken:
        """Asks the platform; everybody else takes the token from the ``TokenStore``.

        https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html
        """
        body = {"grant_type": "client_credential", **self._credentials(), "force_refresh": False}
        request = Request("POST", "/cgi-bin/stable_token", body=body)
        answer = read(TokenAnswer, self._ask_with_secret(request))
        return FetchedToken(answer.access_token, answer.expires_in)

    def get_quota(self, api: str) -> Quota:
        """What is left today for ``api`` (its path); our budget learns the real limit from it.

        https://developers.weixin.qq.com/doc/offiaccount/openApi/get_api_quota.html
        """
        quota = read(_QuotaAnswer, self._look_up(QUOTA, {"cgi_path": api})).quota
        budget.learn_daily_limit(self._caller, api, quota.daily_limit)
        return quota

    def _fetch_access_token(self) -> FetchedToken:
        return self.fetch_stable_token()

    def _credentials(self) -> dict[str, Any]:
        return {
            "appid": self._account.appid,
            "secret": self._account.secret.get_secret_value(),
        }

    def take_some(self, path: str, wanted: int) -> int:
        """Large accounts may call more often than new ones: ask before giving up for the day."""
        try:
            return super().take_some(path, wanted)
        except BudgetExhausted as exhausted:
            if not exhausted.is_assumed or not self._learns_limit(path):
                raise
        return super().take_some(path, wanted)

    def _learns_limit(self, path: str) -> bool:
        if not budget.may_learn(self._account.appid, path):
            return False
        try:
            self.get_quota(path)
        except (WeChatError, WeChatUnreachable):
            return False
        return True
