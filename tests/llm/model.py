"""A llama of 0.5 MB with random weights, as GGUF: what it says means nothing, how it says it is real.

    python3 model.py OUT.gguf
"""

import sys

import gguf
import numpy

WIDTH, HEADS, BLOCKS, INNER = 64, 4, 2, 128
random = numpy.random.default_rng(7)


def weights(*shape):
    return (random.standard_normal(shape) * 0.05).astype(numpy.float32)


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

    # The bytes, and a few words, so that a text is not all bytes.
    words = [f"▁{word}" for word in "the a of river lake road bridge is long name".split()]
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
    out.add_tensor("output.weight", weights(len(tokens), WIDTH))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


main(sys.argv[1])
