"""The functions that the files here name."""


def validate_question_quality():
    return "the question is good"
