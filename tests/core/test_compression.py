import gzip

import pytest
from flask import Flask, Response

from core.compression import SHORTEST_BYTES, compress_answers

LONG = "工资条" * SHORTEST_BYTES


@pytest.fixture
def client():
    app = Flask(__name__)
    compress_answers(app)
    picture = Response(LONG.encode(), mimetype="image/png")
    answers = {"long": LONG, "short": "短", "refused": (LONG, 404), "picture": picture}
    for name, answer in answers.items():
        app.add_url_rule(f"/{name}", name, lambda answer=answer: answer)
    return app.test_client()


GZIP = {"Accept-Encoding": "gzip, deflate"}


def test_a_long_text_travels_compressed(client):
    answer = client.get("/long", headers=GZIP)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data).decode() == LONG
    assert int(answer.headers["Content-Length"]) == len(answer.data) < len(LONG)
    assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/short", "/refused", "/picture"])
def test_what_gains_nothing_travels_as_it_is(client, path):
    assert "Content-Encoding" not in client.get(path, headers=GZIP).headers


def test_who_cannot_read_it_gets_it_plain(client):
    answer = client.get("/long")
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert client.head("/long", headers=GZIP).data == b""


def test_static_files_too(client_with_csrf):
    plain = client_with_csrf.get("/static/css/tokens.css", buffered=True)
    packed = client_with_csrf.get("/static/css/tokens.css", headers=GZIP, buffered=True)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
