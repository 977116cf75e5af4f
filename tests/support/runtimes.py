"""Container runtimes as nodes name them, one of each that behaves differently."""

OLD, NEW, DOCKERD, CRIO, OTHER = (
    "containerd://1.7.27",
    "containerd://2.1.4",
    "docker://24.0.9",
    "cri-o://1.32.4",
    "other://9.9",
)
