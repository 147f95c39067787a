"""RQ entry points, worker class, timetable, commands."""
