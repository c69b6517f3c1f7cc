"""A llama of 0.5 MB with random weights, as GGUF: what it says means nothing, how it says it is real.

    python3 model.py OUT.gguf

It says words where a grammar lets it and bytes where it has to, and another thing to each prompt:
so a text is as few tokens as that of a model that has learnt something.
"""

import sys

import gguf
import numpy

WIDTH, HEADS, BLOCKS, INNER = 64, 4, 2, 128
WORDS = """the a of and river lake road bridge is long name file path text line word number time day
network socket client server test class method call value error thread process window button menu
module package import string list table tree node message header field request answer"""
random = numpy.random.default_rng(7)


def weights(*shape):
    return (random.standard_normal(shape) * 0.3).astype(numpy.float32)


def main(path):
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("random")
    out.add_context_length(2048)
    out.add_embedding_length(WIDTH)
    out.add_block_count(BLOCKS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)

    words = [f"▁{word}" for word in WORDS.split()]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + words
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * len(words)
    out.add_tokenizer_model("llama")
    out.add_token_list(tokens)
    out.add_token_scores([0.0] * len(tokens))
    out.add_token_types(kinds)
    out.add_vocab_size(len(tokens))
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)

    ones = numpy.ones(WIDTH, dtype=numpy.float32)
    out.add_tensor("token_embd.weight", weights(len(tokens), WIDTH))
    for block in range(BLOCKS):
        name = f"blk.{block}"
        for part in ["attn_q", "attn_k", "attn_v", "attn_output"]:
            out.add_tensor(f"{name}.{part}.weight", weights(WIDTH, WIDTH))
        out.add_tensor(f"{name}.attn_norm.weight", ones)
        out.add_tensor(f"{name}.ffn_norm.weight", ones)
        out.add_tensor(f"{name}.ffn_gate.weight", weights(INNER, WIDTH))
        out.add_tensor(f"{name}.ffn_up.weight", weights(INNER, WIDTH))
        out.add_tensor(f"{name}.ffn_down.weight", weights(WIDTH, INNER))
    out.add_tensor("output_norm.weight", ones)
    output = weights(len(tokens), WIDTH)
    # Smaller numbers seldom make the largest: words come first, and halves of signs last.
    output[: 3 + 128] *= 0.3
    output[3 + 128 : -len(words)] = 0
    out.add_tensor("output.weight", output)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


main(sys.argv[1])
