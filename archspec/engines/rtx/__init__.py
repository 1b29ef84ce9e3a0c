"""Build TensorRT-RTX engines from ONNX files and run them. Imported only where the package is installed."""
