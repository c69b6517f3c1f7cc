"""The steps of the documents workflow, one module each, in the order in which they run.

    gather     2,000 documents: what the modules of Python say of themselves
    clean      one line of plain words each
    embed      a vector for each, by all-MiniLM-L6-v2 (the function of the fan-out)
    cluster    groups of vectors that lie together
    evaluate   whether the groups are those of the modules that the documents come from
    report     report.md with a map of all documents

Beside them: `minilm` (the model, in numpy) and `files` (everything a step writes). A step reads
what earlier steps left in the out folder and writes its own files there, whole or not at all; so
any step may be killed and run again.
"""
