"""What every door shares: guards and refusals, sessions, filters, asset addresses, headers."""

import hashlib
import json
import secrets
from collections.abc import Callable, MutableMapping
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

Guard = Callable[[], ResponseReturnValue | None]
Refusal = Callable[[DomainError], ResponseReturnValue]


# --- doors ----------------------------------------------------------------------------------


def door(
    app: Flask, name: str, prefix: str, guard: Guard, refusal: Refusal, *rooms: Blueprint
) -> None:
    """Hang ``rooms`` behind one guard under ``prefix``; endpoints become ``name.room.view``."""
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
    """Where one kind of session lives: its cookie, the paths it is sent to, how long it idles."""

    cookie: str
    path: str
    idle_seconds: int


# A payslip's session is short; each door's cookie is its own, so that HR at the desk and an
# employee's page in the same browser never share a session. The longest path wins.
SESSION_SCOPES = (
    SessionScope("xq_me", "/me", 30 * 60),
    SessionScope("xq_hr", "/hr", 2 * 3600),
    SessionScope("xq_ops", "/ops", 2 * 3600),
)


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """A dict kept in Redis; the browser holds only its random id."""

    def __init__(self, sid: str, scope: SessionScope, values: MutableMapping[str, Any]) -> None:
        def changed(_self: object) -> None:
            self.modified = True

        super().__init__(values, changed)
        self.sid, self.scope = sid, scope
        self.modified = False
        self.old_sid: str | None = None

    def rotate(self) -> None:
        """A new id at every change of who is signed in, so that a planted id is worth nothing."""
        self.old_sid, self.sid = self.old_sid or self.sid, secrets.token_urlsafe(32)
        self.modified = True


class RedisSessions(SessionInterface):
    """Sessions under ``xq:session:<sha256 of the id>``: whoever reads Redis cannot use one."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        scope = _scope_of(request.path)
        if scope is None:
            return self.make_null_session(app)
        sid = request.cookies.get(scope.cookie, "")
        stored = redis().get(_session_key(scope, sid)) if sid else None
        if stored:
            return ServerSession(sid, scope, json.loads(cast(str, stored)))
        return ServerSession(secrets.token_urlsafe(32), scope, {})

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, ServerSession):
            return
        scope = session.scope
        if session.old_sid:
            redis().delete(_session_key(scope, session.old_sid))
        if not session:
            if session.modified:
                redis().delete(_session_key(scope, session.sid))
                response.delete_cookie(scope.cookie, path=scope.path)
            return
        key = _session_key(scope, session.sid)
        if session.modified:
            redis().set(key, json.dumps(dict(session)), ex=scope.idle_seconds)
            response.set_cookie(
                scope.cookie,
                session.sid,
                path=scope.path,
                httponly=True,
                secure=app.config["SESSION_COOKIE_SECURE"],
                samesite="Lax",
            )
        else:
            redis().expire(key, scope.idle_seconds)
        response.vary.add("Cookie")


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
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=settings.is_https,
    )
    app.session_interface = RedisSessions()
    compress_answers(app)
    app.before_request(_name_request)  # before the CSRF check, whose refusal shows the id
    csrf.init_app(app)
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
