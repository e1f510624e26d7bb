"""Webhooks: the provider calls the gateway, the gateway books what it hears and calls whoever asked.

`take` puts the gateway's address where the caller's stood, `inbound` hears the provider, `signatures` tells who speaks,
`deliveries` and `letters` carry the news on until it is taken, `addresses` says whom the gateway may call at all.
"""
