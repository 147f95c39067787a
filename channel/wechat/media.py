"""Temporary files (three days), and what the doctor asks about an account.

https://developers.weixin.qq.com/doc/offiaccount/Asset_Management/New_temporary_materials.html
"""

from enum import StrEnum

from channel.answers import Answer, read
from channel.rules import RuleBroken
from channel.wechat.ground import WechatClient
from channel.wechat.transport import Download, File


class MediaKind(StrEnum):
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    THUMB = "thumb"


LARGEST_BYTES = {
    MediaKind.IMAGE: 10 << 20,
    MediaKind.VOICE: 2 << 20,
    MediaKind.VIDEO: 10 << 20,
    MediaKind.THUMB: 64 << 10,
}


class UploadedMedia(Answer):
    """``created_at`` in seconds; the file is gone three days later."""

    media_id: str
    created_at: int


class _ThumbUploaded(Answer):
    thumb_media_id: str
    created_at: int


class _Addresses(Answer):
    ip_list: tuple[str, ...]


class DnsFinding(Answer):
    ip: str = ""
    real_operator: str = ""


class PingFinding(Answer):
    """``package_loss`` like ``0%``, ``time`` like ``13.5ms``."""

    ip: str = ""
    from_operator: str = ""
    package_loss: str = ""
    time: str = ""


class CallbackCheck(Answer):
    """Whether WeChat's servers reach ours."""

    dns: tuple[DnsFinding, ...] = ()
    ping: tuple[PingFinding, ...] = ()

    @property
    def is_answered(self) -> bool:
        return any(one.package_loss.strip() != "100%" for one in self.ping)


class MediaCalls(WechatClient):
    def upload_media(self, kind: MediaKind, file: File) -> UploadedMedia:
        """https://developers.weixin.qq.com/doc/offiaccount/Asset_Management/New_temporary_materials.html"""
        if len(file.content) > LARGEST_BYTES[kind]:
            raise RuleBroken(field="文件", reason=f"太大（最多 {LARGEST_BYTES[kind] >> 10} KB）")
        answer = self._upload("/cgi-bin/media/upload", {"type": kind.value}, file)
        if kind is MediaKind.THUMB:
            thumb = read(_ThumbUploaded, answer)
            return UploadedMedia(media_id=thumb.thumb_media_id, created_at=thumb.created_at)
        return read(UploadedMedia, answer)

    def get_media(self, media_id: str) -> Download:
        """https://developers.weixin.qq.com/doc/offiaccount/Asset_Management/Get_temporary_materials.html"""
        return self._download("/cgi-bin/media/get", {"media_id": media_id})

    def list_callback_ips(self) -> tuple[str, ...]:
        """From which addresses callbacks come.

        https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Get_the_WeChat_server_IP_address.html
        """
        return read(_Addresses, self._get("/cgi-bin/getcallbackip")).ip_list

    def check_callback(self) -> CallbackCheck:
        """Has WeChat's servers resolve and ping our callback address.

        https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Network_Detection.html
        """
        body = {"action": "all", "check_operator": "DEFAULT"}
        return read(CallbackCheck, self._look_up("/cgi-bin/callback/check", body))
