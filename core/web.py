"""What every door shares: guards and refusals, sessions, filters, asset addresses, headers."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    current_app,
    g,
    jsonify,
    render_template,
    request,
    url_for,
)
from flask.sessions import SessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFError, CSRFProtect
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import CallbackDict
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from core.clock import business_date, china_time
from core.compression import compress_answers
from core.errors import DomainError
from core.log import logger, request_id
from core.money import yuan_grouped
from core.redis import PREFIX, redis
from core.security import mask_name, mask_phone
from core.settings import Settings

csrf = CSRFProtect()

# Doors through which machines come, in ``app.extensions``.
MACHINES = "xinqiao-machines"

Guard = Callable[[], ResponseReturnValue | None]
Refusal = Callable[[DomainError], ResponseReturnValue]


# --- doors ----------------------------------------------------------------------------------


def door(
    app: Flask,
    name: str,
    prefix: str,
    guard: Guard,
    refusal: Refusal,
    *rooms: Blueprint,
    machines: bool = False,
) -> None:
    """Hang ``rooms`` behind one guard under ``prefix``; endpoints become ``name.room.view``.

    ``machines``: who posts there is no browser (see ``_spare_machines``).
    """
    if machines:
        app.extensions[MACHINES].add(name)
    entrance = Blueprint(name, __name__, url_prefix=prefix)
    entrance.before_request(guard)
    entrance.register_error_handler(DomainError, refusal)
    for room in rooms:
        entrance.register_blueprint(room)
    app.register_blueprint(entrance)


def public_guard() -> None:
    """Anybody may enter; said by name so that no door is open by mistake."""


def page_refusal(error: DomainError) -> ResponseReturnValue:
    return _refusal_page(error.sentence, error.status)


def json_refusal(error: DomainError) -> ResponseReturnValue:
    body = {"error": {"code": error.code, "message": error.sentence, "request_id": _request_id()}}
    return jsonify(body), error.status


def _refusal_page(sentence: str, status: int) -> ResponseReturnValue:
    """A page that says what is wrong and leads back to where this door begins."""
    scope = _scope_of(request.path)
    page = render_template(
        "errors/page.html",
        title=_TITLES.get(int(status), "这一步没有完成"),
        message=sentence,
        next_label="返回首页" if scope else None,
        next_url=f"{scope.path}/" if scope else None,
        request_id=_request_id(),
    )
    return page, int(status)


_TITLES = {
    403: "不能办理",
    404: "没有找到",
    429: "请稍后再试",
    500: "系统出了点问题",
    503: "暂时不可用",
}
_HTTP_SENTENCES = {
    404: "没有找到这个页面，链接可能不完整",
    405: "这个页面不能这样打开",
    413: "文件太大，请把工资表拆成几份再上传（每份不超过 50 MB）",
    429: "操作太频繁，请稍后再试",
}


def _http_refusal(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, SecurityError):  # a foreign Host: not even our own links can be built
        return "这个地址不是本服务的地址", error.code or 400
    # What breaks before the view (the session's Redis is away) arrives wrapped by Flask.
    original = getattr(error, "original_exception", None)
    if isinstance(original, Exception):
        return _unexpected(original)
    sentence = _HTTP_SENTENCES.get(error.code or 500, "请求没有完成，请返回上一页再试")
    if error.response is not None:
        return error.response
    return _refusal_page(sentence, error.code or 500)


def _form_expired(_error: CSRFError) -> ResponseReturnValue:
    return _refusal_page("页面停留太久，已经过期，请刷新后重新提交", 400)


def _unexpected(error: Exception) -> ResponseReturnValue:
    logger.error("request failed", exc_info=error, extra={"endpoint": request.endpoint})
    if isinstance(error, RedisError | OperationalError):
        return _refusal_page("系统正在恢复，请一分钟后再试。已经提交成功的内容不会丢失", 503)
    return _refusal_page("系统出了点问题，我们已经记录下来，请稍后再试", 500)


# --- sessions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionScope:
    """Which session the pages under ``path`` see: its cookie, and how long it idles.

    Scopes with one cookie are one session; the browser sends it to ``cookie_path``. Pages of a
    framed one may stand in a frame of WeCom's.
    """

    cookie: str
    path: str
    idle_seconds: int
    cookie_path: str
    is_framed: bool = False


# A payslip's session is short, and its cookie is its own, so that HR at the desk and an employee's
# page in the same browser never share a session. The desk is one, whoever sits at it: its cookie
# has to reach two paths, and only there is it looked at.
SESSION_SCOPES = (
    SessionScope("xq_me", "/me", 30 * 60, "/me"),
    SessionScope("xq_hr", "/hr", 2 * 3600, "/"),
    SessionScope("xq_hr", "/ops", 2 * 3600, "/"),
    SessionScope("xq_sidebar", "/sidebar", 2 * 3600, "/sidebar", is_framed=True),
    SessionScope("xq_team", "/team", 2 * 3600, "/team"),
)
# A request that was under way when the id changed may still come with the old one.
LEFT_SECONDS = 60


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """A dict kept in Redis; the browser holds only its random id."""

    def __init__(
        self,
        sid: str,
        scope: SessionScope,
        values: MutableMapping[str, Any],
        *,
        is_stored: bool = False,
    ) -> None:
        def changed(_self: object) -> None:
            self.modified = True

        super().__init__(values, changed)
        self.sid, self.scope = sid, scope
        self.is_stored = is_stored  # under this id, as far as we know
        self.modified = False
        self.old_sid: str | None = None
        self.left: Mapping[str, Any] = {}
        self.is_joined = False

    def rotate(self, left: Mapping[str, Any] | None = None) -> None:
        """A new id at every change of who is signed in, so that a planted id is worth nothing.

        Under the old id only what is ``left`` can still be read, for a minute.
        """
        self.old_sid, self.sid = self.old_sid or self.sid, secrets.token_urlsafe(32)
        self.left = left or {}
        self.is_stored = False
        self.modified = True

    def keep(self) -> bool:
        """Store it at once, for another request that waits for it.

        False: it was there and is no more. Who signed out stays out, though a request that had
        read the session is only now at its end.
        """
        key, idle_seconds = _session_key(self.scope, self.sid), self.scope.idle_seconds
        kept = redis().set(key, json.dumps(dict(self)), ex=idle_seconds, xx=self.is_stored)
        self.is_stored = True
        return bool(kept)

    def join(self, sid: str) -> None:
        """Give the browser a session that another of its requests has begun; this one ends.

        Where that one is over by now, by a newer sign-in, the browser keeps what it has.
        """
        if redis().exists(_session_key(self.scope, sid)):
            self.sid, self.is_joined = sid, True


class RedisSessions(SessionInterface):
    """Sessions under ``xq:session:<sha256 of the id>``: whoever reads Redis cannot use one."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        scope = _scope_of(request.path)
        if scope is None:
            return self.make_null_session(app)
        sid = request.cookies.get(scope.cookie, "")
        key = _session_key(scope, sid)
        found = cast(list[str | None], redis().mget(key, _left_key(key)) if sid else [])
        stored = next(filter(None, found), None)
        if stored:
            # What was left counts as stored too: nothing can be added to it.
            return ServerSession(sid, scope, json.loads(stored), is_stored=True)
        return ServerSession(secrets.token_urlsafe(32), scope, {})

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, ServerSession):
            return
        scope = session.scope
        response.vary.add("Cookie")
        if session.is_joined:
            _set_cookie(app, response, session)
            return
        if session.old_sid:
            _leave(_session_key(scope, session.old_sid), session.left)
        if not session:
            if session.modified:
                redis().delete(_session_key(scope, session.sid))
                response.delete_cookie(scope.cookie, path=scope.cookie_path)
            return
        if session.modified:
            if session.keep():
                _set_cookie(app, response, session)
        else:
            redis().expire(_session_key(scope, session.sid), scope.idle_seconds)


def _set_cookie(app: Flask, response: Response, session: ServerSession) -> None:
    scope, is_https = session.scope, app.config["SESSION_COOKIE_SECURE"]
    # In a frame of another site a browser sends only SameSite=None, and takes that over https only.
    same_site = "None" if scope.is_framed and is_https else "Lax"
    response.set_cookie(
        scope.cookie,
        session.sid,
        path=scope.cookie_path,
        httponly=True,
        secure=is_https,
        samesite=same_site,
    )


def _leave(key: str, values: Mapping[str, Any]) -> None:
    with redis().pipeline() as together:
        together.delete(key, _left_key(key))
        if values:
            together.set(_left_key(key), json.dumps(dict(values)), ex=LEFT_SECONDS)
        together.execute()


def _left_key(key: str) -> str:
    """Beside the session's own key, so that no request takes what is left for the session."""
    return f"{key}:left"


def _scope_of(path: str) -> SessionScope | None:
    for scope in SESSION_SCOPES:
        if path == scope.path or path.startswith(f"{scope.path}/"):
            return scope
    return None


def _session_key(scope: SessionScope, sid: str) -> str:
    return f"{PREFIX}session:{scope.cookie}:{hashlib.sha256(sid.encode()).hexdigest()}"


# --- filters and assets ---------------------------------------------------------------------


def written_china_time(instant: datetime | None) -> str:
    """``3月5日 14:02``; with the year when it is not this one; nothing for None."""
    if instant is None:
        return ""
    local = china_time(instant)
    year = "" if local.year == business_date().year else f"{local.year}年"
    return f"{year}{local.month}月{local.day}日 {local:%H:%M}"


@lru_cache(maxsize=512)
def _asset_version(static: str, path: str) -> str:
    return hashlib.sha256((Path(static) / path).read_bytes()).hexdigest()[:12]


def asset(path: str) -> str:
    """A static file's address with its content's hash, so that it may be kept for a year."""
    version = _asset_version(cast(str, current_app.static_folder), path)
    return url_for("static", filename=path, v=version)


# --- setup ----------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    "img-src": "'self' data:",  # WeUI draws its icons with data: images
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


# Where WeCom shows an app's page in a frame of its own.
WECOM_FRAMES = "https://work.weixin.qq.com https://*.work.weixin.qq.com"


def _allow_frames(response: Response) -> Response:
    """Pages of the sidebar may stand in WeCom's frames; ``X-Frame-Options`` cannot name hosts."""
    scope = _scope_of(request.path)
    if scope is not None and scope.is_framed:
        del response.headers["X-Frame-Options"]
        nobody, frames = "frame-ancestors 'none'", f"frame-ancestors {current_app.config['FRAMES']}"
        policy = response.headers["Content-Security-Policy"]
        response.headers["Content-Security-Policy"] = policy.replace(nobody, frames)
    return response


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _request_id() -> str:
    return request_id.get()


def _name_request() -> None:
    request_id.set(secrets.token_hex(8))


def _finish_headers(response: Response) -> Response:
    response.headers["X-Request-Id"] = _request_id()
    if request.endpoint == "static":
        if "v" in request.args:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif "Cache-Control" not in response.headers:
        # WeChat's browser keeps stale pages otherwise; pages with pay never belong in a cache.
        response.headers["Cache-Control"] = "no-store"
    return response


class StoredId(IntegerConverter):
    """``<int:…>`` up to what a database holds: a longer number is no address, not an error."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=2**63 - 1)


def _spare_machines(app: Flask) -> None:
    """A platform that posts a callback reads a status and a word. Headers for browsers, form tokens
    and compression would be two fifths of what such a request costs before it is stored."""
    app.extensions[MACHINES] = set()
    every: list[Any] = [app.before_request_funcs, app.after_request_funcs]
    for hooks in every:
        hooks[None] = [
            hook if hook.__module__ == "core.metrics" else _for_browsers(hook)
            for hook in hooks[None]
        ]


def _for_browsers(hook: Callable[..., Any]) -> Callable[..., Any]:
    def unless_machine(*response: Response) -> object:
        door_name = (request.endpoint or "").partition(".")[0]
        if request.method == "POST" and door_name in current_app.extensions[MACHINES]:
            return response[0] if response else None
        return hook(*response)

    return unless_machine


def init_web(app: Flask, settings: Settings) -> None:
    app.url_map.converters["int"] = StoredId
    app.url_map.strict_slashes = False
    app.config.update(
        # CSRF tokens are bound to the server-side session; this key only signs them.
        SECRET_KEY=hashlib.sha256(
            b"csrf" + settings.master_key.get_secret_value().encode()
        ).hexdigest(),
        # A forged Host header must not end up in an address that we build.
        TRUSTED_HOSTS=["127.0.0.1", "localhost", urlsplit(settings.public_url).hostname],
        MAX_CONTENT_LENGTH=settings.upload_limit_bytes + 64 * 1024,
        SESSION_COOKIE_SECURE=settings.is_https,
        FRAMES=f"{WECOM_FRAMES} {origin_of(settings.wecom_open_url)}",
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=settings.is_https,
    )
    app.session_interface = RedisSessions()
    compress_answers(app)
    csrf.init_app(app)
    app.after_request(_allow_frames)  # what is registered before Talisman runs after it
    Talisman(
        app,
        force_https=False,  # the proxy in front does it, and the embedded default has no TLS
        strict_transport_security=settings.is_https,
        session_cookie_secure=settings.is_https,
        content_security_policy=CONTENT_SECURITY_POLICY,
        frame_options="DENY",
        referrer_policy="same-origin",
    )
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way
    app.after_request(_finish_headers)
    _spare_machines(app)
    # Before the CSRF check, whose refusal shows the id.
    app.before_request_funcs[None].insert(0, _name_request)
    app.register_error_handler(CSRFError, _form_expired)
    app.register_error_handler(DomainError, page_refusal)
    app.register_error_handler(HTTPException, _http_refusal)
    app.register_error_handler(Exception, _unexpected)
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.filters.update(
        yuan=yuan_grouped,
        china_time=written_china_time,
        mask_name=mask_name,
        mask_phone=mask_phone,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"actor": g.get("actor")})
