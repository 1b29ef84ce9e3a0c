"""ONNX files to engines of TensorRT-RTX. Its modules are imported only where the package is."""
