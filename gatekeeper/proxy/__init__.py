"""The data plane: from the bytes of a request to the last byte of its answer.

`server` finds out what a request is and answers refusals; `pipeline` is the story of a generation; `native_routes`
answers the gateway's own questions (quotes, models, balance). Nothing here knows a wire format or a Redis key.
"""
