"""The HTTP servers of both planes, where requests are refused that are no HTTP at all.

aiohttp answers those itself, as a page that names the library, with no request id and no log line. Here they leave
like every other refusal. What is parsed well is not touched, and is answered in the task of its connection: aiohttp
begins another for each request, which costs two turns of the event loop and a tenth of all that a small answer takes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Never

from aiohttp import StreamReader, web
from aiohttp.http import HttpProcessingError, RawRequestMessage, StreamWriter

from gatekeeper.web.incoming import Request
from gatekeeper.web.outgoing import Sent

UNREAD_S: Final = 60.0
"""So long an answer may wait for whoever asked for it to read, unless it is said otherwise."""

MOMENT_S: Final = 1.0
"""So long a connection on which nothing was asked yet, or just now, has for a last request as its server stops: it may
be on its way. Browsers connect ahead of time, and may never ask."""

CUT_OFF_S: Final = 0.01
"""What is still there when the time to stop in is over has this to notice it."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class FrontServer(web.Server):
    """Hands parsed requests to `handle`; `refuse` makes the answer to what could not be parsed. `count` is how many
    connections are open. Whoever reads nothing of what waits for him in `unread_s` is hung up on. `on_cut_off` is
    called before somebody is cut off.

    As it stops, what is asked is read to its end and answered, which aiohttp's own does not: that takes no more bytes
    from then on, so that a body which is still coming never ends, and closes connections that were made but not read.
    """

    def __init__(
        self,
        handle: Handle,
        refuse: Callable[[], web.StreamResponse],
        request_factory: Callable[..., web.BaseRequest] | None = None,
        unread_s: float = UNREAD_S,
        on_cut_off: Callable[[], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(handle, request_factory=request_factory or Request, **options)
        self._refuse = refuse
        self._options = options
        self._unread_s = unread_s
        self._on_cut_off = on_cut_off
        self._is_stopping = False
        self._finishing = set[web.RequestHandler]()
        self._finished = asyncio.Event()
        self.count = 0

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """One more, told by itself."""
        self.count += 1
        super().connection_made(handler, transport)
        if self._is_stopping:
            self._finish(handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """One less, told by itself once. What was asked there may go on without it."""
        self.count -= 1
        task = handler._task_handler  # noqa: SLF001  # the base forgets it here
        super().connection_lost(handler, exc)
        if task is None or task.done():
            self._gone(handler)
        else:
            task.add_done_callback(lambda _: self._gone(handler))

    def _gone(self, handler: web.RequestHandler) -> None:
        self._finishing.discard(handler)
        if not self._finishing:
            self._finished.set()

    def pre_shutdown(self) -> None:
        """No connection takes a request after the one that it is at."""
        self._is_stopping = True
        for each in self.connections:
            self._finish(each)

    def _finish(self, handler: web.RequestHandler) -> None:
        if isinstance(handler, _Connection) and handler.finish():
            self._finishing.add(handler)

    async def shutdown(self, timeout: float | None = None) -> None:
        """Waits for what is asked to be answered, so many seconds at most; what is there then is cut off."""
        if self._finishing:
            self._finished.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._finished.wait()
            except TimeoutError:
                if self._on_cut_off is not None:
                    self._on_cut_off()
        await super().shutdown(CUT_OFF_S)

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._refuse, self._unread_s, loop=asyncio.get_running_loop(), **self._options)


class FrontRunner(web.AppRunner):
    """Runs an application behind such a server; `refused` makes the answer to what aiohttp says no to by itself."""

    def __init__(
        self,
        app: web.Application,
        refuse: Callable[[], web.StreamResponse],
        refused: Callable[[web.Request, web.HTTPException], web.Response],
        **options: Any,
    ) -> None:
        super().__init__(app, **options)
        self._refuse = refuse
        self._refused = refused

    async def _make_server(self) -> web.Server:
        await super()._make_server()  # starts the application
        make_request = self._app._make_request  # noqa: SLF001  # as the runner's own server has it
        return FrontServer(self._handle, self._refuse, make_request, **self._kwargs)

    async def _handle(self, request: Any) -> web.StreamResponse:
        try:
            return await self._app._handle(request)  # noqa: SLF001  # as above
        except web.HTTPException as refused:
            return self._refused(request, refused)


class _Connection(web.RequestHandler):
    __slots__ = ("_factory", "_handle", "_is_last", "_is_ours", "_refuse", "_unread_s")

    def __init__(
        self, server: web.Server, refuse: Callable[[], web.StreamResponse], unread_s: float, **options: Any
    ) -> None:
        super().__init__(server, **options)
        self._handle = server.request_handler
        self._factory: Any = server.request_factory
        self._refuse = refuse
        self._unread_s = unread_s
        self._is_last = False
        self._is_ours = True

    def finish(self) -> bool:
        """Takes no request after the one that it is at. Where none was asked yet, or one just now, there is a moment
        for another. False: there is nothing to wait for. An answer that is not all sent is waited for."""
        self._is_last = True
        if self._force_close:
            return self._request_in_progress
        if not self._request_count or (self._is_idle and self._was_asked_just_now()):
            self._loop.call_later(MOMENT_S, self._end_idle)
        elif self._is_idle:
            unread = self.transport is not None and self.transport.get_write_buffer_size()
            self.force_close()
            return bool(unread)
        elif type(self._current_request) is Request:
            self._current_request.be_last()
        elif not self._is_ours:
            self.close()
        return True

    @property
    def _is_idle(self) -> bool:
        """Whether it waits for another request."""
        return self._waiter is not None and not self._waiter.done()

    def _was_asked_just_now(self) -> bool:
        answered_s = self._next_keepalive_close_time - self._keepalive_timeout
        return self._loop.time() - answered_s < MOMENT_S

    def _end_idle(self) -> None:
        if self.transport is not None and (self._is_idle or not self._request_count):
            if self.transport.get_write_buffer_size():
                self.force_close()
            else:
                self.transport.abort()  # to say goodbye by TLS would wait for the other side's

    async def start(self) -> None:
        """Answers the requests of this connection, one after the other, as aiohttp's own does.

        What is out of the ordinary, bytes that are no request and more requests at once than are kept in line, is left
        to that, with all that follows on the connection.
        """
        while not self._force_close:
            if not self._messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            if type(self._messages[0][0]) is not RawRequestMessage or (self._buffer_paused and not self._is_last):
                self._is_ours = False
                await super().start()
                return
            if not await self._answer_next():
                break
            self._wait_for_another()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self._abort_later(self.transport)
                self.transport.close()

    async def _answer_next(self) -> bool:
        """Answers one request. False: no other may follow."""
        message: Any
        message, body = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        try:
            task: Any = self._task_handler or asyncio.current_task()
            writer = None if self._factory is Request else StreamWriter(self, self._loop)
            request = self._factory(message, body, self, writer, task)
            if self._is_last and type(request) is Request:
                request.be_last()
            answer, is_gone = await self._handled(request)
            if is_gone:
                return False
            self._keepalive = bool(answer.keep_alive)
            if not body.is_eof():
                await self._linger(body)
        except ConnectionError:
            return False
        except Exception as error:  # noqa: BLE001  # the outermost edge: nobody is there to hear of it
            self.log_exception("Unhandled exception", exc_info=error)
            self.force_close()
        except BaseException:
            self.force_close()
            raise
        return self._keepalive and not (self._is_last or self._close or self._force_close)

    async def _linger(self, body: StreamReader) -> None:
        """The client may still send, and would not read an answer to what is cut off: for a while it is heard out."""
        try:
            async with asyncio.timeout(self._lingering_time):
                while not body.is_eof() and not self._force_close:
                    await body.readany()
        except (TimeoutError, web.RequestPayloadError, HttpProcessingError):
            pass
        if not body.is_eof():
            self.close()

    def _wait_for_another(self) -> None:
        """Starts the clock of a connection without a request."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    async def _drain_helper(self) -> None:
        """Everything that waits until more can be written waits here, and not for ever."""
        try:
            async with asyncio.timeout(self._unread_s):
                await super()._drain_helper()
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            raise ConnectionResetError("the client reads nothing") from None

    def force_close(self) -> None:
        """Ends the connection, also where what waits is never read."""
        if self.transport is not None:
            self._abort_later(self.transport)
        super().force_close()

    def _abort_later(self, transport: asyncio.Transport) -> None:
        """To close waits for what was written to be taken; this does not. One that is closing has been seen to, or is
        lost already."""
        if not transport.is_closing() and transport.get_write_buffer_size():
            self._loop.call_later(self._unread_s, transport.abort)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer, where that is not done. The second is whether the client is gone."""
        if type(resp) is not Sent or self._upgraded:
            return await super().finish_response(request, resp, start_time)
        if self.writing_paused:
            await request.writer.drain()
        return resp, False

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Asked for after every body, and most often nothing was paused."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def _handled(self, request: web.BaseRequest) -> tuple[web.StreamResponse, bool]:
        """The answer to a request, and whether the client is gone. What the library does beside that is to be told when
        the connection is lost or closed, and what became of an error."""
        self._request_in_progress, self._current_request = True, request
        try:
            try:
                answer = await self._handle(request)
            except Exception as error:  # noqa: BLE001  # what becomes of it is the library's
                return await self._handle_request(request, None, partial(_raise, error))
            self._current_request = None
            if type(answer) is Sent and not self.writing_paused and not self._upgraded:
                return answer, False
            return await self.finish_response(request, answer, None)
        finally:
            self._request_in_progress, self._current_request = False, None
            if self._handler_waiter is not None and not self._handler_waiter.done():
                self._handler_waiter.set_result(None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002  # the signature is aiohttp's own
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """The connection ends with this answer: where the next request begins is not known."""
        if request.writer.output_size > 0 or (type(request) is Request and request.has_begun):
            raise ConnectionError("an answer had begun")
        answer = self._refuse()
        answer.force_close()
        return answer


async def _raise(error: Exception, _request: web.BaseRequest) -> Never:
    raise error
