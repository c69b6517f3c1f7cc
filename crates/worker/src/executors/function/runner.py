"""The process in which functions stay warm: calls in, results out, one after the other.

The worker writes this file into its state folder and starts it with the interpreter of the
environment. It needs Python 3.9 and nothing else. It decides nothing: it calls what it is told to
call and says what came of it. It never lives longer than the worker: its socket ends with that.

A frame is its length (4 bytes, the lowest first), one byte that says what it is, and a body.
"""

import io
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback

RESULT_BYTES_MAX = 1 << 20
TEXT_BYTES_MAX = 64 << 10
OUTPUT_BYTES_MAX = 16 << 20
NAMES_MAX = 32
RUNS_MAX = 1000
# What the package `openglm` knows this process by.
RUNNER = "autoglm_runner"
HEAD = struct.Struct("<QQQQB")
LENGTH = struct.Struct("<I")
NUMBER = struct.Struct("<Q")

write_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=lambda it: plain(it)
).encode


class Stopped(KeyboardInterrupt):
    """The call was told to end."""


class NotJson(Exception):
    """A result that cannot be written as JSON, or is too large."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def plain(value):
    """What a value that JSON does not have is written as."""
    to_list = getattr(value, "tolist", None)
    if to_list is not None:
        return to_list()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(type(value).__name__)


class Written(io.RawIOBase):
    """What a call prints, on its way to the log of its attempt."""

    def __init__(self, runner, stream):
        self.runner, self.stream = runner, stream

    def writable(self):
        return True

    def fileno(self):
        return self.stream

    def write(self, data):
        self.runner.say(self.stream, bytes(data))
        return len(data)


class Runner:
    """One process: its socket, and the call that it is in."""

    def __init__(self, address, ticket, token):
        self.pid = os.getpid()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect("\0" + address)
        self.lock = threading.Lock()
        self.held = bytearray()
        self.call = 0
        self.is_running = False
        self.is_sending = False
        self.is_stopped = False
        self.left = self.dropped = 0
        self.has_children = False
        self.outputs = {}
        self.is_batch = False
        self.runs = set()
        self.handlers = {}
        self.files = {}
        self.skipped = tuple({sys.prefix, sys.base_prefix, sys.exec_prefix})
        self.token = token
        self.send(b"H" + NUMBER.pack(ticket) + token.encode())

    def send(self, body):
        """Sends a frame, whole: a stop that comes meanwhile is heard afterwards."""
        with self.lock:
            main = threading.get_ident() == threading.main_thread().ident
            if main:
                self.is_sending = True
            try:
                self.socket.sendall(LENGTH.pack(len(body)) + body)
            finally:
                if main:
                    self.is_sending = False
        if main and self.is_stopped and self.is_running:
            self.is_running = False
            raise Stopped

    def say(self, stream, data):
        kept = data[: self.left]
        self.left -= len(kept)
        self.dropped += len(data) - len(kept)
        while kept:
            piece, kept = kept[:60000], kept[60000:]
            self.send(b"O" + NUMBER.pack(self.call) + bytes([stream]) + piece)

    def stop(self, *_):
        """The worker asks the call to end, and this process with it."""
        self.is_stopped = True
        if not self.is_running:
            if not self.call:
                os._exit(0)
        elif not self.is_sending:
            self.is_running = False
            raise Stopped

    def frames(self):
        held = self.held
        while True:
            while len(held) >= 4:
                end = 4 + LENGTH.unpack_from(held)[0]
                if len(held) < end:
                    break
                body = bytes(memoryview(held)[4:end])
                del held[:end]
                yield body
            piece = self.socket.recv(1 << 18)
            if not piece:
                return
            held += piece

    def serve(self):
        for body in self.frames():
            call = json.loads(body)
            if call["run"] not in self.runs:
                if self.is_stale():
                    self.send(b"S" + NUMBER.pack(call["id"]))
                    return
                if len(self.runs) > RUNS_MAX:
                    self.runs.clear()
                self.runs.add(call["run"])
            self.answer(call)
            if self.is_stopped:
                return

    def answer(self, call):
        self.call, self.left, self.dropped = call["id"], OUTPUT_BYTES_MAX, 0
        self.outputs, self.is_batch = {}, "batch" in call
        for name, value in call["env"].items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        began, cpu = time.perf_counter_ns(), time.process_time_ns()
        try:
            kind, text = self.outcome(call)
        except BaseException as error:  # Stopped at the very end of a call.
            kind, text = "E", failure(error)
        self.is_running = False
        if os.getpid() != self.pid:
            os._exit(0)  # A child that came out of the function.
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:
            pass
        if self.dropped:
            text_of_drop = "autoglm: %d bytes of output were dropped\n" % self.dropped
            self.left = len(text_of_drop)
            self.say(2, text_of_drop.encode())
        marked = self.has_children or pending(1) or pending(2)
        if marked:
            mark = b"\x1e%s:%d\x1e" % (self.token.encode(), self.call)
            whole(1, mark)
            whole(2, mark)
        cpu = (time.process_time_ns() - cpu) // 1000
        wall = (time.perf_counter_ns() - began) // 1000
        head = HEAD.pack(self.call, wall, cpu, peak_kib(), marked)
        self.send(kind.encode() + head + text.encode("utf-8", "replace"))
        self.call = 0

    def outcome(self, call):
        """What comes of a call: what kind of frame says so, and its text."""
        try:
            self.is_running = True
            if self.is_stopped:
                raise Stopped
            function = self.handler(call["handler"])
            if self.is_batch:
                values = called(function, [[single(args) for args in call["batch"]]])
                self.is_running = False
                return "B", batch_text(values, len(call["batch"]))
            value = called(function, call["args"])
            self.is_running = False
            return "R", result_text(value, self.outputs)
        except BaseException as error:
            self.is_running = False
            return "E", failure(error)

    def add_outputs(self, values):
        """Outputs that the running call names beside what it returns."""
        if self.is_batch:
            raise RuntimeError("a call of many items names no outputs: return a dict for each item")
        self.outputs.update(values)

    def handler(self, text):
        found = self.handlers.get(text)
        if found is None:
            found = self.handlers[text] = self.load(text)
        return found

    def load(self, text):
        module_name, colon, name = text.partition(":")
        if not colon:
            module_name, name = "functions", text
        __import__(module_name)
        module = found = sys.modules[module_name]
        self.remember()
        for part in name.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                raise missing(module, name) from None
        if not callable(found):
            raise TypeError("`%s` of module `%s` is no function" % (name, module_name))
        return found

    def own_files(self):
        """The files of modules that are nobody's installed package."""
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if path and not path.startswith(self.skipped) and "site-packages" not in path:
                yield path

    def remember(self):
        for path in self.own_files():
            if path not in self.files:
                self.files[path] = look(path)

    def is_stale(self):
        """Whether the code that this process has loaded is not what is on the disk now."""
        self.remember()
        return any(look(path) != seen for path, seen in self.files.items())

    def hear(self, event, _):
        """An audit hook: what a child process prints comes by another way."""
        if not self.has_children and event in CHILDREN:
            self.has_children = True

    def forked(self):
        self.socket.close()


CHILDREN = {"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}


def look(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def missing(module, name):
    own = [
        key
        for key, value in vars(module).items()
        if callable(value) and not key.startswith("_") and value.__module__ == module.__name__
    ]
    has = "it has: " + ", ".join(sorted(own)[:20]) if own else "it has no functions"
    return AttributeError(
        "module `%s` (%s) has no function `%s`; %s"
        % (module.__name__, getattr(module, "__file__", "built in"), name, has)
    )


def single(args):
    return args[0] if isinstance(args, list) and len(args) == 1 else args


def called(function, args):
    value = function(**args) if isinstance(args, dict) else function(*args)
    if hasattr(value, "__await__"):
        import asyncio

        async def awaited():
            return await value

        value = asyncio.run(awaited())
    return value


def result_text(value, named=None):
    """The outputs that a value becomes, with those that were named beside it, as JSON."""
    if not isinstance(value, dict):
        value = {"result": value}
    if named:
        value = {**named, **value}
    try:
        text = write_json(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise NotJson("outputs", "its result is no JSON: " + (blame(value) or str(error)))
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    if size > RESULT_BYTES_MAX:
        raise NotJson(
            "large",
            "its result is %d bytes of JSON, and may be %d: write it to a file, in the folder "
            "$AUTOGLM_WORKDIR or as an artifact, and return the path" % (size, RESULT_BYTES_MAX),
        )
    return text


def blame(value, place="result", depth=0):
    """Where a value has something in it that JSON has not."""
    if depth > 50:
        return "%s is nested too deeply, or holds itself" % place
    if isinstance(value, dict):
        items = value.items() if depth or set(value) != {"result"} else ()
        if not items and value:
            return blame(value["result"], place, depth + 1)
        for key, inner in items:
            if not isinstance(key, (str, int, float, bool)) and key is not None:
                return "%s has a key that is a %s" % (place, type(key).__name__)
            found = blame(inner, "%s[%r]" % (place, key), depth + 1)
            if found:
                return found
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            found = blame(inner, "%s[%d]" % (place, index), depth + 1)
            if found:
                return found
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return "%s is %r, which JSON does not have: return None, or a text" % (place, value)
    elif value is not None and not isinstance(value, (str, int, bool)):
        try:
            inner = plain(value)
        except Exception:
            kind = type(value)
            return "%s is a %s.%s: return numbers, texts, lists and dicts" % (
                place,
                kind.__module__,
                kind.__qualname__,
            )
        return blame(inner, place, depth + 1)
    return None


def batch_text(values, count):
    """What comes of each item of a call, as JSON."""
    to_list = getattr(values, "tolist", None)
    values = to_list() if to_list is not None else values
    if not isinstance(values, (list, tuple)) or len(values) != count:
        has = len(values) if isinstance(values, (list, tuple)) else type(values).__name__
        raise NotJson(
            "outputs",
            "a function with a `batch` returns a list with one value for each of its %d items; "
            "this one returned %s" % (count, has),
        )
    return "[" + ",".join(item_text(value) for value in values) + "]"


def item_text(value):
    if isinstance(value, BaseException):
        return '{"failed":%s}' % failure(value)
    try:
        return '{"outputs":%s}' % result_text(value)
    except NotJson as error:
        return '{"failed":%s}' % failure(error)


def failure(error):
    """Why a call failed, as JSON: what kind of failure, the names of its type, and a text."""
    if isinstance(error, NotJson):
        return write_json({"kind": error.kind, "names": [], "text": str(error)})
    kind = "stopped" if isinstance(error, Stopped) else "raised"
    names = [name_of(cls) for cls in type(error).__mro__[:NAMES_MAX] if cls is not object]
    return write_json({"kind": kind, "names": names, "text": told(error)})


def name_of(cls):
    module = cls.__module__
    if module in ("builtins", "__main__", None):
        return cls.__qualname__
    return "%s.%s" % (module, cls.__qualname__)


def told(error):
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException:
        text = name_of(type(error)) + ": its text cannot be had"
    if len(text) > TEXT_BYTES_MAX:
        # Only whole lines go: half a secret would not be found by who masks it.
        half = TEXT_BYTES_MAX // 2
        begin, end = text[:half], text[-half:]
        begin, end = begin[: begin.rfind("\n") + 1], end[end.find("\n") + 1 :]
        end = end or name_of(type(error)) + ": its text is too long\n"
        text = begin + "[...]\n" + end
    return text.encode("utf-8", "replace").decode("utf-8")


def whole(file, data):
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError:
        pass


try:
    import resource

    def peak_kib():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

except ImportError:

    def peak_kib():
        return 0


try:
    from array import array
    from fcntl import ioctl
    from termios import FIONREAD

    COUNT = array("i", [0])

    def pending(file):
        """Whether something that was printed has not been read yet."""
        try:
            ioctl(file, FIONREAD, COUNT, True)
        except OSError:
            return False
        return COUNT[0] > 0

except ImportError:

    def pending(_):
        return True


def limit_memory(text):
    if text:
        import resource

        limit = int(text)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main():
    address, ticket, token = os.environ.pop("AUTOGLM_CALLS").split()
    limit_memory(os.environ.pop("AUTOGLM_CALLS_MEMORY", ""))
    os.environ.pop("AUTOGLM_TICKET", None)
    sys.path[0] = os.getcwd()
    sys.argv = [""]
    runner = sys.modules[RUNNER] = Runner(address, int(ticket), token)
    for stream, name in ((1, "stdout"), (2, "stderr")):
        buffered = io.BufferedWriter(Written(runner, stream), 1 << 16)
        text = io.TextIOWrapper(
            buffered, encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, text)
        setattr(sys, "__%s__" % name, text)
    signal.signal(signal.SIGTERM, runner.stop)
    sys.addaudithook(runner.hear)
    os.register_at_fork(after_in_child=runner.forked)
    try:
        runner.serve()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
