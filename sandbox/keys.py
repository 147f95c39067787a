"""What hangs in the aiohttp application: the one world, and who speaks for it to the accounts."""

from aiohttp import web

from sandbox.callbacks import Sender
from sandbox.world import World

WORLD = web.AppKey("world", World)
SENDER = web.AppKey("sender", Sender)
