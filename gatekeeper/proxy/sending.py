"""Makes the request that goes upstream: the caller's bytes, our credential, nothing that belongs to the caller.

The path is rebuilt from the dialect's own table; of the caller's query and headers only what may pass is kept.
"""

from collections.abc import Sequence

from gatekeeper.proxy.gate import Call, Provider
from gatekeeper.upstream.credential import with_credential
from gatekeeper.upstream.headers import forwardable_request_headers, strip_credentials_from_query
from gatekeeper.upstream.messages import UpstreamRequest


def upstream_request(call: Call, provider: Provider, body: Sequence[bytes]) -> UpstreamRequest:
    """The request to this provider, byte for byte the caller's body."""
    key = call.caller.key
    headers = forwardable_request_headers(call.request.raw_headers, key)
    query = strip_credentials_from_query(raw_query(call), key)
    headers, query = with_credential(provider.credential, headers, query)
    url = f"{provider.base_url}{call.route.upstream_path}" + (f"?{query}" if query else "")
    return UpstreamRequest(call.request.method, url, headers, body, provider.timeouts)


def raw_query(call: Call) -> str:
    """The query as it was sent, without a fragment."""
    return call.request.raw_path.partition("#")[0].partition("?")[2]
