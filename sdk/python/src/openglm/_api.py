"""The HTTP API of an engine, over the unix socket in its state folder."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional
from urllib.parse import quote, urlencode

from ._errors import ApiError, EngineError

#: How long an answer may take. A stream may be silent for longer.
PATIENCE_SECONDS = 60.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: Optional[float]) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api:
    """Asks and answers. It holds no connection between them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_served(self) -> bool:
        """Whether somebody answers."""
        try:
            self.get("health")
        except EngineError:
            return False
        return True

    def get(self, path: str, query: Optional[Mapping[str, Any]] = None) -> Any:
        """What is there."""
        return self._ask("GET", path, query, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What is answered to a body."""
        return self._ask("POST", path, None, body)

    def stream(
        self,
        path: str,
        query: Optional[Mapping[str, Any]] = None,
        *,
        silence: Optional[float] = None,
    ) -> Iterator[Any]:
        """The values of a stream, one after the other, until it ends.

        ``TimeoutError`` if it says nothing for so many seconds.
        """
        connection = _Connection(self.path, silence)
        try:
            answer = self._send(connection, "GET", path, query, None)
            for line in answer:
                if line.strip():
                    yield json.loads(line)
        except socket.timeout:
            raise TimeoutError(f"nothing was said for {silence} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"the engine went away: {error}") from error
        finally:
            connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]],
        body: Optional[Mapping[str, Any]],
    ) -> Any:
        connection = _Connection(self.path, PATIENCE_SECONDS)
        try:
            return json.loads(self._send(connection, method, path, query, body).read())
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"no engine answers at {self.path}: {error}") from error
        finally:
            connection.close()

    def _send(
        self,
        connection: _Connection,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]],
        body: Optional[Mapping[str, Any]],
    ) -> http.client.HTTPResponse:
        given = {key: _text(value) for key, value in (query or {}).items() if value is not None}
        target = f"/api/v1/{path}" + (f"?{urlencode(given)}" if given else "")
        text = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {} if text is None else {"Content-Type": "application/json"}
        connection.request(method, target, body=text, headers=headers)
        answer = connection.getresponse()
        if answer.status >= 400:
            text = answer.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {"detail": text.decode(errors="replace")}
            raise ApiError(problem)
        return answer


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def segment(name: str) -> str:
    """The name of a task as a part of a path."""
    return quote(name, safe="")
