"""One training loop for both models: accelerate, weight averaging, and a checkpoint every epoch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, extract_model_from_parallel, set_seed
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import get_cosine_schedule_with_warmup

log = logging.getLogger(__name__)

WARM_UP = 0.15  # share of all updates during which the learning rate rises
MOST_SKIPPED = 10  # updates in a row without finite gradients
LOGGED = 20  # updates whose mean loss is logged


def fastest_precision() -> str:
    """bf16 where the CPU or GPU supports it, otherwise single precision ("no")."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "no"


def fit(
    model: nn.Module,
    groups: Sequence[dict[str, Any]],
    batches: Callable[[int], DataLoader[Any]],
    loss: Callable[[nn.Module, Any], Tensor],
    *,
    epochs: int,
    weight_decay: float,
    averaging: float,
    seed: int,
    checkpoint: Path,
    precision: str = "",
    start_epoch: Callable[[nn.Module, int], None] = lambda model, epoch: None,
) -> nn.Module:
    """Trains `model` with AdamW and a cosine schedule; returns it, or its moving average, on the CPU.

    groups: parameters with their learning rates; batches: epoch -> loader of the same length each
    epoch; averaging: decay of the weights' moving average, 0 for none; precision: accelerate's
    `mixed_precision`, `fastest_precision` unless given. A killed run resumes after the last finished epoch in
    `checkpoint`, with the result of an uninterrupted one. An update whose gradients are not finite is left
    out: clipping would write it into every weight, and the loss would show it only one update later. Raises
    ValueError if the loss is not finite, or if MOST_SKIPPED updates in a row are left out.
    """
    # cuDNN's backward pass of masked attention in bf16 gives NaN on Hopper GPUs for some lengths, since
    # torch 2.11 by default (pytorch/pytorch#196678). Forward is right, so the loss of that update is finite.
    torch.backends.cuda.enable_cudnn_sdp(False)
    # A run trains in two precisions; accelerate refuses the second until it is reset.
    AcceleratorState._reset_state()
    # Frozen parameters have no gradient, which several GPUs must know.
    accelerator = Accelerator(
        mixed_precision=precision or fastest_precision(),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    optimizer = torch.optim.AdamW(list(groups), weight_decay=weight_decay)
    n_batches = len(accelerator.prepare_data_loader(batches(0)))
    n_updates = epochs * n_batches
    schedule = get_cosine_schedule_with_warmup(optimizer, round(WARM_UP * n_updates), n_updates)
    prepared, optimizer = accelerator.prepare(model, optimizer)
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    if averaging:
        average = get_ema_multi_avg_fn(averaging)
        parts["averaged"] = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=accelerator.device, weights_only=True)
        model.load_state_dict(saved.pop("model"), strict=False)  # what is frozen is as it was
        for name in parts.keys() - {"model"}:
            parts[name].load_state_dict(saved[name])
        first = saved["epoch"] + 1
        log.info("%s: resuming after epoch %d", checkpoint.stem, first)
    for epoch in range(first, epochs):
        set_seed(seed * 1000 + epoch)  # by epoch, so that a resumed run has the same result
        prepared.train()
        start_epoch(model, epoch)
        losses: list[float] = []
        skipped = 0
        loader = accelerator.prepare_data_loader(batches(epoch))
        for batch in tqdm(loader, desc=f"{checkpoint.stem} {epoch + 1}/{epochs}", leave=False, mininterval=2):
            with accelerator.autocast():
                value = loss(prepared, batch)
            if not torch.isfinite(value):
                found = f"the loss is {value.item()} in epoch {epoch + 1}"
                raise ValueError(f"{checkpoint.stem}: {found}; try a lower learning rate.")
            optimizer.zero_grad()
            accelerator.backward(value)
            norm = accelerator.clip_grad_norm_(prepared.parameters(), 1.0)
            # In fp16 accelerate's scaler leaves out such updates itself, and lowers its scale.
            is_lost = accelerator.scaler is None and norm is not None and not torch.isfinite(norm)
            skipped = skipped + 1 if is_lost else 0
            if skipped == MOST_SKIPPED:
                found = f"the gradients of {skipped} updates in a row are not finite in epoch {epoch + 1}"
                raise ValueError(f"{checkpoint.stem}: {found}; try a lower learning rate.")
            if is_lost:
                log.warning("%s: gradients are not finite; this update is left out", checkpoint.stem)
                optimizer.zero_grad()  # the step then changes nothing
            optimizer.step()
            schedule.step()
            if averaging:
                parts["averaged"].update_parameters(model)
            losses.append(value.item())
            if len(losses) % LOGGED == 0:
                place = f"{epoch * n_batches + len(losses)}/{n_updates}"
                log.info("%s update %s: loss %.3f", checkpoint.stem, place, sum(losses[-LOGGED:]) / LOGGED)
        log.info("%s epoch %d/%d: loss %.3f", checkpoint.stem, epoch + 1, epochs, sum(losses) / n_batches)
        if accelerator.is_main_process:
            state = {name: part.state_dict() for name, part in parts.items()} | {"epoch": epoch}
            frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
            state["model"] = {name: value for name, value in state["model"].items() if name not in frozen}
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
    accelerator.wait_for_everyone()
    result: nn.Module = parts["averaged"].module if averaging else model
    # Without autocast, so that it predicts as after loading.
    result = extract_model_from_parallel(result, keep_fp32_wrapper=False)
    return result.cpu().eval()


def save_once(save: Callable[[], object], checkpoint: Path | None = None) -> None:
    """Saves on the first of several GPUs while the others wait; then the checkpoint is no longer needed."""
    if PartialState().is_main_process:
        save()
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
    PartialState().wait_for_everyone()
