"""Functions that give away what they were given."""
import faulthandler
import os
import subprocess
import sys
import time

TOKEN, MARK = os.environ["TOKEN"], os.environ["MARK"]


def returns():
    print(TOKEN, MARK)
    print([TOKEN], repr({TOKEN: MARK}), file=sys.stderr)
    subprocess.run(["sh", "-c", 'printf "%s %s\\n" "$TOKEN" "$MARK"'])
    return {"token": TOKEN, "mark": MARK, "in": [{TOKEN: "<%s>" % TOKEN}]}


def raises():
    mark = MARK
    raise ValueError("the key is %s, %s" % (TOKEN, mark))


def overflows():
    raise ValueError("\n".join([MARK] + [TOKEN] * 3000))


def misses():
    return {}[(TOKEN, MARK)]


def unfit():
    return {TOKEN: {MARK: float("nan")}}


def batch(items):
    print(TOKEN, MARK)
    return [TOKEN + MARK, ValueError(TOKEN, MARK), KeyError(TOKEN)]


def crashes():
    faulthandler.enable()
    print(TOKEN, MARK, flush=True)
    os.write(2, ("thread 'main' panicked: %r %s %s\n" % (TOKEN, TOKEN, MARK)).encode())
    os.abort()


def hangs():
    print(TOKEN, MARK, flush=True)
    if os.environ["AUTOGLM_ATTEMPT"] == "1":
        open("hangs.txt", "w").close()
        time.sleep(600)
