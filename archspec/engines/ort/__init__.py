"""ONNX files with operators of ONNX Runtime's own, for steps that this runtime alone runs."""
