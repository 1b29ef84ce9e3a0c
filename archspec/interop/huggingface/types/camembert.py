"""The model type `camembert`."""

from __future__ import annotations

from archspec.interop.huggingface.types.roberta import Roberta, roberta_classes


class Camembert(Roberta):
    """CamemBERT: RoBERTa on French text."""

    word = "camembert"
    about = "CamemBERT and models of its shape (Martin et al. 2019, arXiv 1911.03894)"
    architectures = roberta_classes("Camembert")
    defaults = {**Roberta.defaults, "vocab_size": 30522}
