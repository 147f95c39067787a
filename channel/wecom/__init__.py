"""WeCom (企业微信) apps: client, messages, callback, OAuth, JS-SDK."""
