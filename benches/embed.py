"""The function of `benches/batch.py`: sentence embeddings by the model of the documents example, one text at a time
or many together.
"""

import os

# One thread each: what is compared is one core with one core.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
    os.environ.setdefault(name, "false" if name.startswith("TOKEN") else "1")

from documents.minilm import model  # noqa: E402


def embed_one(text):
    return embed_many([text])[0]


def embed_many(texts):
    return [[round(float(x), 4) for x in row[:8]] for row in model().embed(texts)]
