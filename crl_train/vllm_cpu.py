"""vLLM's CPU build, kept so that it takes new weights.

On processors for which it has kernels of its own (oneDNN's, SGLang's, zentorch's) it packs the weights of each linear layer once
they are loaded. Most plain weights are let go then, and handing over new ones ends with an AttributeError; of an output layer,
whose plain weights stay, the packed copy would go on answering as before the update. TRL hands new weights over at each update.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def unpacked() -> Iterator[None]:
    """An engine that is made meanwhile keeps its weights as they are loaded, and multiplies by them through torch.

    Nothing is changed where vLLM is not there, or does not run on a processor.
    """
    if not _runs_on_a_processor():
        yield
        return
    from torch.nn.functional import linear
    from vllm.model_executor.layers import utils

    def keep(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = linear

    packing, utils.dispatch_cpu_unquantized_gemm = utils.dispatch_cpu_unquantized_gemm, keep
    try:
        yield
    finally:
        utils.dispatch_cpu_unquantized_gemm = packing


def _runs_on_a_processor() -> bool:
    try:
        from vllm.platforms import current_platform
    except ImportError:  # TRL says what to do about it
        return False
    return bool(current_platform.is_cpu())
