"""The model type `xlm-roberta`."""

from __future__ import annotations

from archspec.interop.huggingface.types.roberta import Roberta, roberta_classes


class XlmRoberta(Roberta):
    """XLM-RoBERTa: RoBERTa with a vocabulary of a hundred languages."""

    word = "xlm_roberta"
    spelled = "xlm-roberta"
    about = "XLM-RoBERTa and models of its shape (Conneau et al. 2019, arXiv 1911.02116)"
    architectures = roberta_classes("XLMRoberta")
    defaults = {**Roberta.defaults, "vocab_size": 30522}
