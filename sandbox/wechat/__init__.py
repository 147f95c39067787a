"""Plays api.weixin.qq.com, mp.weixin.qq.com and open.weixin.qq.com for official accounts."""
