"""Sees from outside which files the steps of the documents example read and write.

It is put into PYTHONPATH as `sitecustomize`; the example knows nothing of it. Before a file of the
out folder is read, or put in its place, a line in `seen` says who is about to. When that is what
stands in `hold`, it says so in `held` and goes no further. It changes nothing that a step does.
"""

import os
import sys
import time

FOLDER = os.environ.get("DOCUMENTS_WATCH", "")
OUT = "out/"


def watch(event, arguments):
    """Hears of everything that Python does; renaming is how a step puts a file in its place."""
    if event == "os.rename":
        path, what = str(arguments[1]), "writes"
    elif event == "open" and arguments[1] == "r":
        path, what = str(arguments[0]), "reads"
    else:
        return
    if path.startswith(OUT):
        task = os.environ.get("AUTOGLM_TASK")
        say("seen", f"{task} {os.environ.get('AUTOGLM_TOKEN')} {what} {path[len(OUT):]}\n")
        hold(f"{task} {what} {path[len(OUT):]}")


def hold(line):
    while wanted() == line:
        if not os.path.exists(f"{FOLDER}/held"):
            say("held", line)
        time.sleep(0.01)


def wanted():
    try:
        with open(f"{FOLDER}/hold", encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def say(name, text):
    with open(f"{FOLDER}/{name}", "a", encoding="utf-8") as file:
        file.write(text)


if FOLDER:
    sys.addaudithook(watch)
