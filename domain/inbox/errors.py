"""How the inbox refuses."""

from core.errors import BadInput, Forbidden, NotFound, Unavailable


class EventNotFound(NotFound):
    code, message = "inbox_event_not_found", "没有编号为 {event_id} 的回调记录"


class RangeTooLong(BadInput):
    code, message = "inbox_range_too_long", "一次最多重放 {limit} 条回调，请缩小范围后再试"


class NonceReused(Forbidden):
    code, message = "callback_nonce_reused", "回调的随机数已经用过"


class NoncesUnknown(Unavailable):
    code, message = "callback_nonces_unknown", "暂时无法核对回调的随机数，请重试"
