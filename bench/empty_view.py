"""The reference of the page benchmark: a Flask view that does nothing."""

from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "ok")
    return app
