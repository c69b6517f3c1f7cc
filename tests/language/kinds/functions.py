"""Functions of the cases beside it."""

import math
import os


def double(x):
    print("doubling", x)
    return x * 2


def together(values, label="none"):
    return {"sum": sum(values), "label": label}


def halves(items):
    return [ValueError("%d is odd" % x) if x % 2 else x // 2 for x in items]


def whole(batch):
    return len(batch)


def who():
    return "%s/%s" % (os.environ["AUTOGLM_TASK"], os.environ["AUTOGLM_ATTEMPT"])


def validate_question_quality(question, topic="none"):
    return {"good": question.endswith("?"), "topic": topic}


def not_a_number():
    return {"score": math.nan}


def refuse():
    raise LookupError("nothing there")


def leave():
    os._exit(3)


def reset():
    raise ConnectionResetError("the other side is gone, attempt " + os.environ["AUTOGLM_ATTEMPT"])
