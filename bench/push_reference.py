"""What a push engine is measured against: one RQ job per message, sent with wechatpy.

``python -m bench.push_reference worker REDIS_URL``: a forking worker with everything imported
before the first fork, as a careful team would run it.
"""

import os
import sys

from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from wechatpy import WeChatClient

QUEUE = "reference"
VALUES = {"thing1": {"value": "江西某某学校"}, "time2": {"value": "2026年3月"}}


def send_one(openid: str) -> int:
    """The job: a client and one template message. Its token is a gift: it asks nobody for it."""
    client = WeChatClient("wxbench", "secret", access_token="stub-token")
    client.API_BASE_URL = os.environ["BENCH_API"] + "/cgi-bin/"
    answer = client.message.send_template(openid, "template", VALUES, url="http://127.0.0.1/")
    return int(answer["msgid"])


def queue(redis: Redis) -> Queue:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def work(redis_url: str) -> None:
    redis = Redis.from_url(redis_url)
    Worker([queue(redis)], connection=redis, serializer=JSONSerializer).work(
        burst=True, logging_level="WARNING"
    )


if __name__ == "__main__":
    work(sys.argv[2])
