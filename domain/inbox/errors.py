"""How the inbox refuses."""

from core.errors import NotFound


class EventNotFound(NotFound):
    code, message = "inbox_event_not_found", "没有编号为 {event_id} 的回调记录"
