"""A local web page that shows the pictures of a run while they are drawn."""

import hmac
import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Self

from fkp.vision.images import Image, encoded_jpeg

QUALITY = 80
"""JPEG quality."""

_BORDER = b"--frame\r\n"
_PART = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" + _BORDER
"""The boundary is sent right after each picture, since browsers show it only then."""


class View:
    """Serves the newest picture to browsers on this machine that know the address.

    facts: returns what the page shows about the run.
    """

    def __init__(self, facts: Callable[[], dict[str, object]]) -> None:
        self.facts = facts
        self.token = secrets.token_urlsafe(24)
        self._changed = threading.Condition()
        self._picture: Image | None = None
        self._jpeg = b""
        self._number, self._encoded = 0, 0
        self.ended = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self._server.server_port}/{self.token}/"

    def show(self, picture: Image) -> None:
        """Show a picture (H, W, 3) BGR; it must not be modified afterwards."""
        with self._changed:
            self._picture = picture
            self._number += 1
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes]:
        """Wait for a picture newer than `number`; its number and JPEG, or b"" at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self.ended)
            if self._number <= number or self._picture is None:
                return number, b""
            if self._encoded != self._number:
                self._jpeg, self._encoded = encoded_jpeg(self._picture, QUALITY), self._number
            return self._number, self._jpeg

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


def _handler(view: View) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, token, *rest = self.path.partition("?")[0].split("/")
            answers = {"": self._page, "facts": self._facts, "pictures": self._pictures}
            known = hmac.compare_digest(token.encode(), view.token.encode())
            if known and len(rest) == 1 and rest[0] in answers:
                answers[rest[0]]()
            else:
                self.send_error(404)

        def _page(self) -> None:
            page = files("fkp.annotate.video").joinpath("view.html").read_bytes()
            self._send("text/html; charset=utf-8", page)

        def _facts(self) -> None:
            self._send("application/json", json.dumps(view.facts()).encode())

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def _pictures(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.end_headers()
            number, self.close_connection = 0, True
            try:
                self.wfile.write(_BORDER)
                while jpeg := (following := view.after(number))[1]:
                    number = following[0]
                    self.wfile.write(_PART % (len(jpeg), jpeg))
            except (BrokenPipeError, ConnectionResetError):
                return  # the page was closed or reloaded

        def log_message(self, *args: object) -> None:
            return  # the run uses the terminal

    return Handler
