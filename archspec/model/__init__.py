"""The boundary between what is compiled and what is run: judged specs, ports, sizes, inputs."""
