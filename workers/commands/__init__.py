"""The ``xinqiao`` command."""

from flask import Flask
from flask.cli import FlaskGroup

from workers.commands.accounts import accounts
from workers.commands.bench import bench
from workers.commands.demo import demo
from workers.commands.directory import orgs, users
from workers.commands.doctor import doctor
from workers.commands.inbox import inbox
from workers.commands.payroll import payroll
from workers.commands.prepare import prepare_demo
from workers.commands.pushes import pushes
from workers.commands.run import run, timetable, worker

# These need no application: they make one for their children, or none at all.
ALONE = (demo, run, payroll, bench)
WITHIN_APP = (prepare_demo, worker, timetable, accounts, orgs, users, inbox, pushes, doctor)


def register_commands(app: Flask) -> None:
    for command in WITHIN_APP:
        app.cli.add_command(command)


def register_lone_commands(group: FlaskGroup) -> None:
    for command in ALONE:
        group.add_command(command)
