"""``/healthz``: the process lives. ``/readyz``: it can serve, so database and Redis answer."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.db import reading
from core.log import logger
from core.redis import redis

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    return jsonify(checks), 200 if all(checks.values()) else 503


def _database_answers() -> bool:
    try:
        reading().execute(text("SELECT 1"))
    except SQLAlchemyError:
        logger.warning("database does not answer")
        return False
    return True


def _redis_answers() -> bool:
    try:
        return bool(redis().ping())
    except RedisError:
        logger.warning("redis does not answer")
        return False
