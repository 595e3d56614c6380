"""What the sets of an audit or of a contrast add to the page."""

from __future__ import annotations

from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.sets.records import read_sets
from bincam.report.sections.context import Drawing
from bincam.report.sections.sets.card import set_card
from bincam.report.sections.sets.contrast import set_contrast_card, set_contrast_tiles
from bincam.report.sections.sets.single_outputs import single_outputs
from bincam.report.sections.words import wording
from bincam.report.view.parts import Definition, Tile
from bincam.report.view.sets import SetsPart
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import basis, counted, interval, listed, stated

DEFINITIONS = (
    Definition(
        "Set of outputs",
        "Outputs of which exactly one is true, as after a softmax. The output with the highest score is predicted, "
        "also where its probability is below one half; there is no threshold. Logits are log-odds of an output against "
        "all others of its set, and maps show what supports it rather than them.",
    ),
    Definition(
        "Misses, false alarms, confusion",
        "Of an output: the share of its images that are predicted to be another, and the share of the other images "
        "that are predicted to be it. The confusion table counts the images of each true output by their predicted "
        "output.",
    ),
    Definition(
        "Minority of a set",
        "The outputs that are rarer than one in K in training, with K the number of outputs. Minority and majority "
        "error are the mean miss rates of these and of the other outputs; outputs without an image are left out.",
    ),
    Definition(
        "Alternatives",
        "What log-odds lose to the number of alternatives: the entropy of the weights of the other outputs. The ledger "
        "keeps it apart; it is no part of the bias share, which for more than two outputs is not comparable with that "
        "of a yes-or-no attribute.",
    ),
)


def sets_part(drawing: Drawing) -> SetsPart:
    """Build the cards, headline numbers, findings and definitions of the sets of an audit or of a contrast.

    The findings of a contrast's sets are among those of its document.
    """
    if drawing.contrast is not None:
        names = list(drawing.contrast.document.get("sets") or {})
        single = single_outputs(drawing.contrast)
        return SetsPart(
            contrasts=[set_contrast_card(name, drawing.contrast, drawing) for name in names],
            outputs=single,
            tiles=[tile for name in names for tile in set_contrast_tiles(name, drawing.contrast)],
            definitions=DEFINITIONS if names else DEFINITIONS[:3] if single else (),  # the last one is about maps
        )
    arm = drawing.arms[0]
    if not arm.audit.one_of:
        return SetsPart()
    panel = read_panel(arm.sample, [])
    cards = [set_card(records, drawing) for records in read_sets(arm.sample, panel)]
    tiles, findings = [], []
    for name, entry in arm.summary["sets"].items():
        rates = {rate: Estimate.from_json(figure) for rate, figure in entry["rates"].items()}
        outputs = counted(len(entry["outputs"]), "output")
        tiles.append(_tile(f"Accuracy, {name}", rates["accuracy"], f"of {outputs}"))
        rare = entry["minority"]
        if rates["minority_error"].defined:
            note = f"mean miss rate of {counted(len(rare), 'output')} rarer than one in {len(entry['outputs']):,}"
            tiles.append(_tile(f"Minority error, {name}", rates["minority_error"], note))
        sentence = f"{name}: the true of {outputs} is predicted in {stated(rates['accuracy'], 'percent')}"
        if rates["minority_error"].defined and rates["majority_error"].defined:
            some = f" ({listed(rare)})" if len(rare) <= 4 else ""
            errors = [stated(rates[f"{part}_error"], "percent") for part in ("minority", "majority")]
            sentence += (
                f"; outputs rarer than one in {len(entry['outputs']):,}{some} are missed in {errors[0]}, the others in "
                f"{errors[1]}"
            )
        findings.append(f"{sentence}.")
    return SetsPart(cards=cards, tiles=tiles, findings=findings, definitions=DEFINITIONS)


def _tile(label: str, rate: Estimate, note: str) -> Tile:
    ends = "" if wording.few(rate) else interval(rate, "percent")
    return Tile(label, wording.marked(rate, "percent"), ends, note, basis(rate))
