"""Networks of TensorRT, read and computed on the CPU: what is compiled is run before it is compiled."""
