"""Read TensorRT networks and compute them on the CPU, before they are compiled."""
