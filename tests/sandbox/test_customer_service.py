"""Customer-service messages: who wrote or tapped may be answered for a while."""

SEND = "/cgi-bin/message/custom/send"


def say(client, fan, text="您好"):
    body = {"touser": fan, "msgtype": "text", "text": {"content": text}}
    return client.post(SEND, body)["errcode"]


def test_who_did_nothing_cannot_be_written_to(client):
    assert say(client, client.fan()) == 45015
    assert say(client, "nobody") == 40003


def test_after_writing_five_messages_within_two_days(client):
    fan = client.fan()
    client.happen(fan, "text", content="在吗")
    assert [say(client, fan) for _ in range(6)] == [0, 0, 0, 0, 0, 45047]

    client.happen(fan, "text", content="在吗")
    client.advance(48 * 3600 - 10)
    client._token = ""
    assert say(client, fan) == 0
    client.advance(11)
    assert say(client, fan) == 45015


def test_after_a_tap_three_messages_within_a_minute(client):
    fan = client.fan()
    client.happen(fan, "click", key="HELP")
    assert [say(client, fan) for _ in range(4)] == [0, 0, 0, 45047]
    client.advance(61)
    assert say(client, fan) == 45015


def test_leaving_closes_the_windows(client):
    fan = client.fan()
    client.happen(fan, "text", content="在吗")
    client.happen(fan, "unsubscribe")
    assert say(client, fan) == 45015


def test_other_kinds_arrive_and_unknown_ones_do_not(client):
    fan = client.fan()
    client.happen(fan, "text", content="在吗")
    articles = {"articles": [{"title": "存款季", "url": "http://example.com"}]}
    news = {"touser": fan, "msgtype": "news", "news": articles}
    assert client.post(SEND, news)["errcode"] == 0
    assert client.inbox(fan)[-1]["articles"][0]["title"] == "存款季"
    assert client.post(SEND, {"touser": fan, "msgtype": "fax", "fax": {}})["errcode"] == 40008
    two = {"touser": fan, "msgtype": "news", "news": {"articles": [{}, {}]}}
    assert client.post(SEND, two)["errcode"] == 45008
    typing = {"touser": fan, "command": "Typing"}
    assert client.post("/cgi-bin/message/custom/typing", typing)["errcode"] == 0
