"""Product centre, share links, posters, clicks, rankings, team tasks."""
