"""WeChat official accounts: crypto, messages, client, callback, OAuth, JS-SDK."""
