"""Prints what it must not, in every form in which tools write it; and does more on demand."""
import base64
import html
import json
import os
import sys
import time
from urllib.parse import quote, quote_plus

VALUES = {name: os.environ[name] for name in ["A", "B", "C", "D", "MARK", "ODD"]}
WHAT = sys.argv[1] if len(sys.argv) > 1 else ""


def forms(text):
    data = text.encode()
    return [
        text,
        "<%s>" % text,
        base64.b64encode(data).decode(),
        base64.b64encode(b"x" + data + b"yz").decode(),
        base64.encodebytes(b"what stands before it " * 3 + data + b" and behind it").decode(),
        base64.urlsafe_b64encode(b"xy" + data).decode(),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        data.hex(),
        data.hex().upper(),
        quote(text),
        quote(text, safe=""),
        quote_plus(text),
        json.dumps(text),
        json.dumps(text, ensure_ascii=False),
        json.dumps([text, {"in": text}]),
        repr(text),
        html.escape(text),
    ]


def say(file):
    for text in VALUES.values():
        for form in forms(text):
            print(form, file=file, flush=True)
        # In pieces, as a pipe may bring them.
        for place in range(0, len(text), 3):
            file.write(text[place : place + 3])
            file.flush()
        print(file=file, flush=True)


def leave():
    outputs = {name: text for name, text in VALUES.items()}
    outputs["forms"] = {name: forms(text) for name, text in VALUES.items()}
    outputs["keys"] = {text: 1 for text in VALUES.values()}
    outputs["number"] = int("7" + VALUES["D"])
    with open(os.environ["AUTOGLM_OUTPUT"], "w") as file:
        json.dump(outputs, file)


def name(folder):
    os.makedirs(folder, exist_ok=True)
    # A slash is in no name.
    return os.path.join(folder, VALUES["C"].replace("/", ""))


say(sys.stdout)
say(sys.stderr)
if WHAT == "fail":
    raise KeyError(VALUES["A"], VALUES["B"], VALUES["MARK"])
if WHAT == "tasks":
    with open(os.environ["AUTOGLM_TASKS"], "w") as file:
        json.dump({"tasks": {"more": {"script": "echo " + VALUES["C"]}}}, file)
if WHAT == "name":
    open(name("kept"), "w").close()
if WHAT == "deep":
    # Deeper than artifacts are looked for, which is told with the path.
    path = name("deep")
    for _ in range(70):
        path = os.path.join(path, "d")
    os.makedirs(path, exist_ok=True)
leave()
if WHAT == "hang" and os.environ["AUTOGLM_ATTEMPT"] == "1":
    open("hang.txt", "w").close()
    time.sleep(600)
