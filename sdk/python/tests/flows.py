"""Workflows that the tests run. Workers import this module."""

import os
import sys
import time

from openglm import current, heartbeat, outputs, progress, task, workflow


@task
def words(text: str) -> list:
    return text.split()


@task
def size(word: str) -> int:
    print(f"sizing {word}")
    return len(word)


@task(batch={"max_size": 8, "window": "10ms"})
def lengths(words: list) -> list:
    return [len(word) if word != "bad" else ValueError("it is bad") for word in words]


@workflow
def batched(text: str = "a bc def"):
    return lengths.map(words(text))


@task
def total(sizes: list, base: int) -> dict:
    return {"total": sum(sizes) + base}


@workflow
def letters(text: str = "a bc def", base: int = 1):
    """Counts letters."""
    return total(size.map(words(text)), base)["total"]


@task(retry={"limit": 1, "backoff": "10ms"})
def flaky(folder: str) -> str:
    marker = os.path.join(folder, "tried")
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise ConnectionError("the first time always fails")
    return "worked"


@workflow
def retried(folder: str):
    return flaky(folder)


@task
def refuse(why: str):
    raise ValueError(why)


@workflow
def refused(why: str = "no"):
    return refuse(why)


@task
def who() -> dict:
    attempt = current()
    assert attempt is not None
    progress(1, 2, "half way")
    return {
        "task": attempt.task,
        "attempt": attempt.attempt,
        "token": attempt.token > 0,
        "folder": attempt.folder.is_dir(),
        "python": sys.executable,
    }


@workflow
def identified():
    return who()


@task
def count(text: str) -> int:
    outputs(words=len(text.split()), result="not this")
    outputs(lines=1)
    return len(text)


@workflow
def counting(text: str = "a bc"):
    return count(text)


@task(heartbeat="1s")
def mute():
    time.sleep(60)


@task(heartbeat="2s")
def alive() -> str:
    for _ in range(3):
        time.sleep(0.8)
        heartbeat()
    return "still here"


@workflow
def silent():
    return mute()


@workflow
def living():
    return alive()


@task
def slow(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"


@workflow
def resting(seconds: float = 30.0):
    return slow(seconds)


@workflow
def branching(score: float = 0.5):
    good = size.options(name="good", when=score > 0.9)
    bad = size.options(name="bad", when=~(score > 0.9))
    good("good")
    bad("worse")
