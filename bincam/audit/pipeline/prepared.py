"""A plan made ready for many passes: the order of the weights, the network compiled, and explainers made again."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.planning import explain_noise, make_explainer, prepare_cells
from bincam.models import AttributeClassifier
from bincam.models.borrowing.borrow import channels_last
from bincam.models.tracing.memory_order import plain_image, takes_channels_last


def ordered(model: AttributeClassifier) -> AbstractContextManager[None]:
    """Keep the weights in channels-last order meanwhile, if the model takes images in that order."""
    probe = plain_image(model, len(model.card.mean), model.card.input_size)
    return channels_last(model) if takes_channels_last(model, probe) else nullcontext()


def compile_trunk(plan: Plan) -> None:
    """Run two batches of random pixels, so that the manifest states whether the network could be compiled."""
    if plan.settings.trunk != "compiled":
        return
    for explainer in plan.explainer_of.values():
        for _ in range(2):
            explain_noise(explainer, plan.settings, plan.batch_size)


def without_explainers(plan: Plan) -> Plan:
    """Leave out what belongs to this process, so that a plan can be pickled."""
    large = plan.large and replace(plan.large, explainers={})
    boxes = plan.boxes and replace(plan.boxes)  # without what it has remembered
    return replace(plan, explainers={}, large=large, boxes=boxes)


def with_explainers(plan: Plan, *, own_rows: bool) -> Plan:
    """Make the explainers of a plan from another process, and run each once, as ``make_plan`` has.

    Args:
        plan: From ``without_explainers``.
        own_rows: True if the plan had outputs with a row of their own.
    """
    settings, names, model = plan.settings, plan.table.names, plan.model.to(plan.settings.device)
    own = {spec: make_explainer(model, spec, names, settings) for spec in plan.methods} if own_rows else {}
    best = {spec: make_explainer(model, spec, None, settings) for spec in plan.methods} if plan.large else {}
    for explainer in (own or best).values():
        explain_noise(explainer, settings, 1)
    if settings.grid:
        prepare_cells(next(iter((own or best).values())), names if own_rows else (), plan.one_of)
    return replace(plan, model=model, explainers=own, large=plan.large and replace(plan.large, explainers=best))
