"""An official account's menus and QR codes.

https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Creating_Custom-Defined_Menu.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import AliasChoices, Field

from channel.answers import Answer, read
from channel.wechat.errors import WeChatError
from channel.wechat.ground import WechatClient

NO_MENU = 46003
LONGEST_QR_SECONDS = 30 * 24 * 3600

Button = Mapping[str, Any]


class QrCode(Answer):
    """``url`` is what the picture holds: draw it ourselves, or fetch it by ``ticket``.

    ``expire_seconds`` is 0 for a code that does not expire.
    """

    ticket: str
    url: str
    expire_seconds: int = 0


class Menu(Answer):
    button: tuple[dict[str, Any], ...] = ()


class ConditionalMenu(Answer):
    """What some followers see instead: ``matchrule`` says who."""

    menuid: str
    button: tuple[dict[str, Any], ...] = ()
    matchrule: dict[str, Any] = Field(default_factory=dict)


class Menus(Answer):
    menu: Menu = Menu()
    # Theirs is written in one word, and seen with either case.
    conditional: tuple[ConditionalMenu, ...] = Field(
        default=(), validation_alias=AliasChoices("conditionalmenu", "conditionalMenu")
    )


class _MenuId(Answer):
    menuid: str


class MenuCalls(WechatClient):
    def create_qrcode(self, scene: str, expire_seconds: int) -> QrCode:
        """A code that expires; whoever scans it is told to us with ``scene`` (1-64 characters).

        https://developers.weixin.qq.com/doc/offiaccount/Account_Management/Generating_a_Parametric_QR_Code.html
        """
        wanted = {
            "expire_seconds": min(expire_seconds, LONGEST_QR_SECONDS),
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        return read(QrCode, self._change("/cgi-bin/qrcode/create", wanted))

    def create_lasting_qrcode(self, scene: str) -> QrCode:
        """A code that does not expire: an account has at most 100,000 of them.

        https://developers.weixin.qq.com/doc/offiaccount/Account_Management/Generating_a_Parametric_QR_Code.html
        """
        wanted = {
            "action_name": "QR_LIMIT_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        return read(QrCode, self._change("/cgi-bin/qrcode/create", wanted))

    def get_menu(self) -> Menu:
        """https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Querying_Custom_Menus.html"""
        return self.get_menus().menu

    def get_menus(self) -> Menus:
        """The menu, and those that only some followers see.

        https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Querying_Custom_Menus.html
        """
        try:
            return read(Menus, self._get("/cgi-bin/menu/get"))
        except WeChatError as error:
            if error.errcode == NO_MENU:
                return Menus()
            raise

    def set_menu(self, buttons: Sequence[Button]) -> None:
        """Replaces the whole menu; phones show it within five minutes.

        https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Creating_Custom-Defined_Menu.html
        """
        self._change("/cgi-bin/menu/create", {"button": list(buttons)}, is_safe=True)

    def delete_menus(self) -> None:
        """The conditional ones too.

        https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Deleting_Custom-Defined_Menu.html
        """
        self._get("/cgi-bin/menu/delete")

    def add_conditional_menu(self, buttons: Sequence[Button], rule: Mapping[str, str]) -> str:
        """A menu for those whom ``rule`` (``tag_id``, ``client_platform_type``) names; its id.

        https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Personalized_menu_interface.html
        """
        body = {"button": list(buttons), "matchrule": dict(rule)}
        return read(_MenuId, self._change("/cgi-bin/menu/addconditional", body)).menuid

    def delete_conditional_menu(self, menuid: str) -> None:
        """https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Personalized_menu_interface.html"""
        self._change("/cgi-bin/menu/delconditional", {"menuid": menuid})
