"""The application: three faces on one world, and what runs beside them."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from aiohttp import web

from sandbox import control, screens
from sandbox.callbacks import Sender
from sandbox.faults import PREFIXES, Fault, first_strike
from sandbox.keys import SENDER, WORLD
from sandbox.state import Json
from sandbox.wechat import api, pages
from sandbox.wechat.errors import Refusal
from sandbox.wecom import api as wecom_api
from sandbox.wecom import errors as wecom_errors
from sandbox.wecom import pages as wecom_pages
from sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SAVE_EVERY_SECONDS = 1.0
SAVING_SHARE = 20  # saving a large world may take a twentieth of the time, not more
SHUTDOWN_SECONDS = 1.0
START_SECONDS = 10
WECOM = "/wecom/"
LARGEST_PICTURE = 16 << 20  # a screenshot with a QR code in it


def make_app(data_dir: Path | None = None) -> web.Application:
    app = web.Application(
        middlewares=[count_and_spoil, control.guard], client_max_size=LARGEST_PICTURE
    )
    app[WORLD] = World(data_dir)
    app[SENDER] = Sender(app[WORLD])
    api.add_routes(app)
    pages.add_routes(app)
    wecom_pages.add_routes(app)
    wecom_api.add_routes(app)
    control.add_routes(app)
    screens.add_routes(app)
    app.cleanup_ctx.append(_send_callbacks)
    app.cleanup_ctx.append(_keep_saving)
    app.on_shutdown.append(_close_streams)
    return app


@web.middleware
async def count_and_spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count requests to the platforms' APIs and let the ordered faults happen to them."""
    path = request.path
    if not path.startswith(PREFIXES):
        return await handler(request)
    world = request.app[WORLD]
    world.stats.requests[path] += 1
    world.requests_seen += 1
    fault = first_strike(world.faults, path) if world.faults else None
    if fault is None:
        return await handler(request)
    if fault.after:
        await handler(request)
    await asyncio.sleep(fault.latency_ms / 1000)
    return _spoilt(request, fault) or await handler(request)


def _spoilt(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    if fault.drop:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    if fault.http_status is not None:
        return web.Response(status=fault.http_status, text="<html>nginx</html>")
    if fault.errcode is not None:
        now = request.app[WORLD].clock.now()
        return api.as_json(_refusal(request, fault.errcode, now))
    return None


def _refusal(request: web.Request, errcode: int, now: float) -> Json:
    if not request.path.startswith(WECOM):
        return Refusal(errcode).as_answer(now)
    defaults = wecom_api.defaults_of(request.path)
    return wecom_errors.Refusal(errcode).as_answer(now, request.remote or "", defaults)


async def _send_callbacks(app: web.Application) -> AsyncIterator[None]:
    async with app[SENDER]:
        yield


async def _keep_saving(app: web.Application) -> AsyncIterator[None]:
    saver = asyncio.create_task(_save_now_and_then(app[WORLD]))
    yield
    saver.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await saver
    app[WORLD].save()


async def _save_now_and_then(world: World) -> None:
    pause = SAVE_EVERY_SECONDS
    while True:
        await asyncio.sleep(pause)
        started = time.perf_counter()
        world.save()
        pause = max(SAVE_EVERY_SECONDS, (time.perf_counter() - started) * SAVING_SHARE)


async def _close_streams(app: web.Application) -> None:
    app[WORLD].is_closing = True
    app[WORLD].hub.changed()


async def serve(host: str, port: int, data_dir: Path | None, stop: asyncio.Event) -> None:
    """Run until ``stop`` is set."""
    async with _listening(host, port, data_dir) as address:
        print(f"sandbox ready at {address}", flush=True)
        await stop.wait()


@contextlib.contextmanager
def running(data_dir: Path | None = None) -> Iterator[str]:
    """A sandbox on a free loopback port in a thread of its own, for tests; gives its address."""
    started: Future[tuple[str, Callable[[], object]]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with _listening("127.0.0.1", 0, data_dir) as address:
            started.set_result((address, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    address, end = started.result(timeout=START_SECONDS)
    try:
        yield address
    finally:
        end()
        thread.join(timeout=START_SECONDS)


@contextlib.asynccontextmanager
async def _listening(host: str, port: int, data_dir: Path | None) -> AsyncIterator[str]:
    runner = web.AppRunner(make_app(data_dir), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
