"""What became of the callbacks, for the panels that cause events."""

import re
from collections.abc import Iterable

from sandbox.clock import as_text
from sandbox.screens.forms import Form
from sandbox.state import Account, Json
from sandbox.world import Callback, World

SHOWN = 40
CHANGE = re.compile(r"<ChangeType><!\[CDATA\[(.*?)\]\]>")
DETAIL = re.compile(r"<(?:UpdateDetail|TagType)><!\[CDATA\[(.*?)\]\]>")


def outcomes_json(
    world: World, accounts: Iterable[Account], forms: Iterable[Form], openid: str = ""
) -> Json:
    """The latest first; of one person only with ``openid``."""
    titles = {account.name: account.title for account in accounts}
    names = {_key(form.event, form.change_type, _detail(form)): form.title for form in forms}
    mine = [one for one in world.callbacks if one.account in titles and openid in {"", one.openid}]
    shown = [_outcome(one, titles[one.account], names) for one in reversed(mine[-SHOWN:])]
    return {"callbacks": shown}


def _outcome(callback: Callback, account: str, names: dict[str, str]) -> Json:
    change, detail = CHANGE.search(callback.xml), DETAIL.search(callback.xml)
    changed = change.group(1) if change else ""
    # The events of a customer have no names of their own: only their change is told apart.
    event = changed if callback.event == "change_external_contact" else callback.event
    change_type = "" if event == changed else changed
    exact = _key(event, change_type, detail.group(1) if detail else "")
    state, words = _state(callback)
    return {
        "id": callback.callback_id,
        "account": account,
        "title": names.get(exact) or names.get(_key(event, change_type, "")) or callback.event,
        "event": f"{callback.event} / {changed}" if changed else callback.event,
        "at": as_text(callback.created_at),
        "state": state,
        "outcome": words,
        "xml": callback.xml,
    }


def _state(callback: Callback) -> tuple[str, str]:
    outcome, _, reason = callback.outcome.partition(":")
    reason = reason.strip()
    match outcome:
        case "acknowledged" if callback.tries > 1:
            return "good", f"第 {callback.tries} 次才收到确认"
        case "acknowledged":
            return "good", "已确认"
        case "waiting":
            return "waiting", "已发出，等待确认"
        case "to be retried":
            return "waiting", f"第 {callback.tries} 次没有成功（{reason}），稍后重试"
        case "failed":
            return "bad", f"{callback.tries} 次都没有成功：{reason}"
        case "lost":
            return "bad", "丢失：连续失败后暂停推送一分钟"
        case "bad reply":
            return "bad", f"收到了，但回复有误：{reason}"
        case "forgotten by a reset":
            return "bad", "沙盒已重置，不再发送"
        case _:
            return "bad", "没有回调地址"


def _detail(form: Form) -> str:
    fixed = dict(form.fixed)
    return str(fixed.get("update_detail") or fixed.get("tag_type") or "")


def _key(event: str, change: str, detail: str) -> str:
    return f"{event.lower() if event != 'LOCATION' else event}/{change}/{detail}"
