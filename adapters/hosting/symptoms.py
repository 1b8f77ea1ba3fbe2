"""How vendors put it when memory runs out, or when a device needs a new process; in lower case.

It must not know who said it: an error that was raised, or the last words of a process.
"""

_OUT_OF_MEMORY = (
    "out of memory", "bad_alloc", "failed to allocate", "can't allocate memory", "cannot allocate memory",
    "failed to map segment", "memory allocation still failed",
)  # fmt: skip
"""PyTorch, CTranslate2, ONNX Runtime, the C library, its loader of libraries, OpenBLAS."""
_STICKY = ("cuda error", "cuda failed with error", "device-side assert", "illegal memory access", "launch failure")
"""CUDA states that only a new process leaves (cudaErrorAssert: "the process must be terminated and relaunched")."""

_NEVER = (
    "no cuda-capable device", "driver version is insufficient", "no kernel image", "invalid device ordinal",
    "cuda is not available",
)  # fmt: skip
"""There is no such device here, or none that these libraries can use: a new process helps as little as the old one."""


def out_of_memory(text: str) -> bool:
    """Whether the text says that memory ran out."""
    return any(symptom in text.lower() for symptom in _OUT_OF_MEMORY)


def sticky(text: str) -> bool:
    """Whether the text says that every later call in the same process would fail too."""
    lower = text.lower()
    curable = not out_of_memory(text) and not any(symptom in lower for symptom in _NEVER)
    return curable and any(symptom in lower for symptom in _STICKY)
