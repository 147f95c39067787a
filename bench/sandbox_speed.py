"""How many template messages the sandbox takes in a second, on one core.

``python -m bench.sandbox_speed [--messages 20000] [--callbacks]`` starts its own sandbox, sends
with many connections at once, and prints the rate. The sandbox must never be what another benchmark
measures: 3,000 a second is the floor.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

CONNECTIONS = 64
FANS = 643


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--callbacks", action="store_true", help="also take each message's result")
    options = parser.parse_args()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    try:
        async with aiohttp.ClientSession(address) as session:
            await measure(session, process.pid, options.messages, takes_results=options.callbacks)
    finally:
        process.terminate()
        process.wait()


async def measure(
    session: aiohttp.ClientSession, pid: int, messages: int, *, takes_results: bool
) -> None:
    taken = Receiver()
    url = await taken.start() if takes_results else ""
    openids, template_id, token = await prepare(session, url)
    bodies = iter([body(openids[number % FANS], template_id, number) for number in range(messages)])
    cpu, started = cpu_seconds(pid), time.perf_counter()
    senders = [send(session, token, bodies) for _ in range(CONNECTIONS)]
    await asyncio.gather(*senders)
    seconds, used = time.perf_counter() - started, cpu_seconds(pid) - cpu
    async with session.get("/_sandbox/stats") as response:
        accepted = (await response.json())["messages"]["accepted"]
    assert accepted == messages
    print(f"{messages / seconds:,.0f} messages/s; {messages / used:,.0f} a second of one core")
    if takes_results:
        results = taken.count
        await taken.all(messages)
        seconds = time.perf_counter() - started
        print(f"{results:,} results had arrived by then, all after {seconds:.1f} s")


class Receiver:
    """Takes the results of the messages."""

    def __init__(self) -> None:
        self.count = 0

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    async def all(self, wanted: int) -> None:
        while self.count < wanted:
            await asyncio.sleep(0.05)

    async def _take(self, request: web.Request) -> web.Response:
        await request.read()
        self.count += 1
        return web.Response(text="success")


async def prepare(session: aiohttp.ClientSession, url: str) -> tuple[list[str], str, str]:
    account: dict[str, Any] = {"name": "speed", "appid": "wxspeed", "secret": "s"}
    account["callback_url"] = url
    account |= {
        "aes_key": "a" * 43,
        "settings": {"quotas": {"/cgi-bin/message/template/send": 10**9}},
    }
    created = await post(session, "/_sandbox/accounts", account)
    fans = await post(session, "/_sandbox/wechat/fans", {"account": "speed", "count": FANS})
    asked = {"grant_type": "client_credential", "appid": "wxspeed", "secret": "s"}
    token = await post(session, "/wechat/cgi-bin/stable_token", asked)
    return fans["openids"], created["templates"]["payslip"], token["access_token"]


async def post(session: aiohttp.ClientSession, path: str, body: Any) -> Any:
    async with session.post(path, json=body) as response:
        return await response.json(content_type=None)


def body(openid: str, template_id: str, number: int) -> bytes:
    values = {"thing1": "滨江实验学校", "time2": "2026年3月", "thing3": "工资条已发放，点击查看"}
    message = {
        "touser": openid,
        "template_id": template_id,
        "url": f"http://127.0.0.1:8000/me/payslips/{number}",
        "client_msg_id": f"payslip:{number}",
        "data": {key: {"value": value} for key, value in values.items()},
    }
    return json.dumps(message, ensure_ascii=False).encode()


async def send(session: aiohttp.ClientSession, token: str, bodies: Any) -> None:
    path = f"/wechat/cgi-bin/message/template/send?access_token={token}"
    for data in bodies:
        async with session.post(path, data=data) as response:
            answer = json.loads(await response.read())
        assert answer["errcode"] == 0, answer


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    asyncio.run(main())
