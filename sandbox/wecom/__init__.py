"""Plays WeCom (企业微信): its API, its pages, and what its people do."""
