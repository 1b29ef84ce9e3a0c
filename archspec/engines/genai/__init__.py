"""Decoders for ONNX Runtime GenAI: the step with past and present keys and values of each layer, as an ONNX file."""
