"""The functions of the examples beside it."""

import os


def words(text):
    return len(text.split())


def judge(counts, at_least=1):
    good = [count for count in counts if count >= at_least]
    return {"good": len(good), "of": len(counts)}


def validate_question_quality(question):
    return {"good": question.endswith("?")}


def lengths(texts):
    return [len(text) if text else ValueError("it is empty") for text in texts]


def report(title):
    folder = os.environ["AUTOGLM_WORKDIR"]
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "report.md")
    with open(path, "w") as file:
        file.write("# %s\n" % title * 100_000)
    return {"path": path}
