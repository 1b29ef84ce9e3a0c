"""What layouts of encoders and decoders have in common."""

from __future__ import annotations

SEQ2SEQ = {
    "vocab_size": 60,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
LAYERS = """
      {ours}.layers.*:
        from: {theirs}.layers.*
        map:
          attention_norm: self_attn_layer_norm
          attention.(q k v out): self_attn.(q_proj k_proj v_proj {out})
          {cross}
          feed_forward_norm: final_layer_norm
          feed_forward.(up down): {up}(fc1 fc2)
"""
CROSS = """cross_attention_norm: encoder_attn_layer_norm
          cross_attention.(q k v out): encoder_attn.(q_proj k_proj v_proj {out})"""


def layers(ours: str, theirs: str, *, cross: bool = False, out: str = "out_proj", up: str = "") -> str:
    inner = CROSS.format(out=out) if cross else ""
    return LAYERS.format(ours=ours, theirs=theirs, cross=inner, out=out, up=up)
