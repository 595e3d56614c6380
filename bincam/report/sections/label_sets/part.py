"""The whole section on label sets: findings, tables, a card per subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.report.figures.audited.label_sets import MOST_CLASSES, classes_figure, size_coverage_figure, sizes_figure
from bincam.report.figures.theme import inline
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.sections.label_sets import sentences
from bincam.report.sections.label_sets.studied import FAIR, StudiedSets, studied_sets
from bincam.report.sections.words.wording import marked
from bincam.report.view.label_sets import LabelSetCard, LabelSetsPart
from bincam.report.view.parts import Cell, Chart, Definition, Table
from bincam.stats.estimate import Estimate
from bincam.studies.sets.per_image import SAYINGS

DEFINITIONS = (
    Definition(
        "Label set",
        "All answers of an image whose score is at least a threshold that was fitted on other images. Of a yes-or-no "
        "attribute it is no, yes, both (the model cannot say) or empty (nothing is like what it was calibrated on).",
    ),
    Definition(
        "Coverage",
        "The share of images whose true answer is in their set. LAC fixes it over all images, class-conditional LAC in "
        "every class; average-K fixes the mean number of answers instead. Minority: mean over the rarer classes.",
    ),
)
_FIGURES = (
    ("coverage", "coverage", "percent"),
    ("majority_coverage", "majority", "percent"),
    ("minority_coverage", "minority", "percent"),
    ("size", "answers", "number"),
    ("several", "several", "percent"),
    ("empty", "none", "percent"),
)
SIDE_BY_SIDE = ("global", "per_attribute", "crc")


def label_sets_part(drawing: Drawing) -> tuple[LabelSetsPart | None, list[str]]:
    """Make the section, None without a study; and the reasons why a study is not shown."""
    studies, why = studied_sets(drawing.arms)
    if not studies:
        return None, why
    many = len(drawing.arms) > 1
    tables = [_overview(studies, many)]
    tables += [table for study in studies if (table := _recall(study, many))]
    return LabelSetsPart(
        findings=[text for study in studies if (text := sentences.finding(study, named=many))],
        lead=[text for study in studies for text in sentences.lead(study, named=many)],
        notes=sentences.notes(studies),
        tables=tables,
        chart=None if many else _recall_chart(studies[0]),
        cards=[] if many else [_card(studies[0], name) for name in studies[0].subjects],
        definitions=DEFINITIONS,
    ), why


def _overview(studies: list[StudiedSets], many: bool) -> Table:
    rows = []
    names = dict.fromkeys(name for study in studies for name in study.subjects)
    for name in names:
        for study in (one for one in studies if name in one.subjects):
            for rule in study.shown(name):
                cells = [Cell(name, None)] + ([Cell(study.arm.name, None)] if many else [])
                cells.append(Cell(sentences.called(rule), None))
                rows.append([*cells, *(_cell(study, name, rule, key, kind) for key, _, kind in _FIGURES)])
    return Table(
        "Coverage and size",
        "Share of images whose true answer is in their set, of all and of both parts; mean number of answers; share of "
        "images with more than one answer, and with none.",
        ["Answers of", *(["Model"] if many else []), "rule", *(text for _, text, _ in _FIGURES)],
        rows,
    )


def _cell(study: StudiedSets, name: str, rule: str, key: str, kind: Any) -> Cell:
    return estimate_cell(study.figure(name, rule, key), kind)


def _rules_table(study: StudiedSets, name: str) -> Table:
    top = any("top_k" in entry for entry in study.subjects[name]["rules"].values())
    rows = []
    for rule, entry in study.subjects[name]["rules"].items():
        cells = [
            Cell(sentences.called(rule), None),
            *(_cell(study, name, rule, key, kind) for key, _, kind in _FIGURES),
        ]
        worst = entry["worst_class"]
        cells += [estimate_cell(Estimate.from_json(worst), "percent"), Cell(worst["name"] or "–", None)]
        cells += [estimate_cell(Estimate.from_json(entry.get("top_k")), "percent")] if top else []
        rows.append(cells)
    heads = ["Rule", *(text for _, text, _ in _FIGURES), "worst class", "which", *(["top-K"] if top else [])]
    caption = (
        "The worst class is chosen on the same images, among those of enough images, so its coverage looks lower than "
        "it is."
    )
    if top:
        caption += " Top-K: the true answer is among the K best of each image, for comparison with average-K."
    return Table("All rules", caption, heads, rows)


def _slices_table(study: StudiedSets, name: str) -> Table | None:
    rules = study.shown(name)
    entries = [study.subjects[name]["rules"][rule]["slices"] for rule in rules]
    if not entries or not entries[0]:
        return None
    rows = []
    for place, first in enumerate(entries[0]):
        cells = [Cell(f"{first['column'].removeprefix('group.')}: {first['value']}", None)]
        for of_rule in entries:
            cells += [estimate_cell(Estimate.from_json(of_rule[place]["coverage"]), "percent"),
                      estimate_cell(Estimate.from_json(of_rule[place]["size"]), "number")]  # fmt: skip
        rows.append(cells)
    heads = [text for rule in rules for text in (f"coverage, {sentences.called(rule)}", "answers")]
    return Table("By group", "No rule promises a coverage within groups.", ["Group", *heads], rows)


def _card(study: StudiedSets, name: str) -> LabelSetCard:
    subject, primary = study.subjects[name], study.primary
    rules = study.shown(name)
    words = sentences.about(study, name)
    figures = [
        (label, marked(study.figure(name, rule, key), "percent"))
        for label, rule, key in (
            ("coverage", primary, "coverage"),
            ("minority", primary, "minority_coverage"),
            ("minority, class-conditional", FAIR, "minority_coverage"),
        )
    ]
    slices = _slices_table(study, name)
    return LabelSetCard(
        name=name,
        anchor=f"label-sets-{slug(name)}",
        figures=[figure for figure in figures if figure[1]],
        sentences=words,
        charts=_charts(study, name, subject, rules, words),
        tables=[_rules_table(study, name), *([slices] if slices else [])],
    )


def _charts(
    study: StudiedSets, name: str, subject: Mapping[str, Any], rules: list[str], words: list[str]
) -> list[Chart]:
    about = " ".join(words)
    points = {}
    for rule, entry in subject["rules"].items():
        size, covered = (Estimate.from_json(entry[key]) for key in ("size", "coverage"))
        if size.defined and covered.defined:
            points[rule] = (size.value, covered.value)
    charts = []
    if points:
        curve = {key: subject["curve"][key] for key in ("size", "coverage", "minority", "majority")}
        figure = size_coverage_figure(curve, points, study.alpha, len(subject["answers"]))
        charts.append(Chart(
            inline(figure, f"{name}: coverage against the mean number of answers at every threshold. {about}"),
            ["Lines: every threshold. Points: fitted rules; those of one threshold are on the line of all images.",
             f"Dotted: {100 * (1 - study.alpha):g} %."],
        ))  # fmt: skip
    if rules:
        histograms = {sentences.called(rule): subject["rules"][rule]["histogram"] for rule in rules}
        head = subject["kind"] == "yes_or_no"
        figure = sizes_figure(histograms, ("nothing", "one answer", SAYINGS[3]) if head else ())
        charts.append(Chart(inline(figure, f"{name}: share of images by number of answers. {about}"),
                            ["Share of the judged images by number of answers."]))  # fmt: skip
        by_class, left_out = _by_class(subject, rules)
        figure = classes_figure(by_class, study.alpha, subject["minority"])
        line = f"The {MOST_CLASSES} classes of the lowest coverage." if left_out else "Coverage within each class."
        charts.append(
            Chart(
                inline(figure, f"{name}: coverage of each class, with intervals. {about}"),
                [f"{line} Amber: the minority. Open: too few images to rely on."],
            )
        )
    return charts


def _by_class(subject: Mapping[str, Any], rules: list[str]) -> tuple[dict[str, dict[str, Estimate]], bool]:
    by_class = {
        sentences.called(rule): {
            answer: Estimate.from_json(figure) for answer, figure in subject["rules"][rule]["per_class"].items()
        }
        for rule in rules
    }
    first = next(iter(by_class.values()))
    if len(first) <= MOST_CLASSES:
        return by_class, False
    lowest = sorted((answer for answer in first if first[answer].defined), key=lambda answer: first[answer].value)
    chosen = lowest[:MOST_CLASSES]
    return {rule: {answer: figures[answer] for answer in chosen} for rule, figures in by_class.items()}, True


def _recall(study: StudiedSets, many: bool) -> Table | None:
    """Put the recall of each attribute by one λ for all, one for each, and risk control side by side."""
    of_all = study.summary["attributes"]
    rules = [rule for rule in SIDE_BY_SIDE if of_all and rule in of_all["rules"]]
    if not rules:
        return None
    rows = []
    ordered = _by_prevalence(of_all)
    for name in ordered:
        share = of_all["prevalence"][name]
        cells = [
            Cell(name, None),
            estimate_cell(Estimate.of_value(float("nan") if share is None else share), "percent"),
        ]
        recalls = (Estimate.from_json(of_all["rules"][rule]["recall"][name]) for rule in rules)
        rows.append([*cells, *(estimate_cell(recall, "percent") for recall in recalls)])
    sizes = [Cell("labels per image", None), Cell("", None)]
    missed = [Cell("missed of an image's", None), Cell("", None)]
    for rule in rules:
        sizes.append(estimate_cell(Estimate.from_json(of_all["rules"][rule]["size"]), "number"))
        missed.append(estimate_cell(Estimate.from_json(of_all["rules"][rule]["false_negative_rate"]), "percent"))
    title = f"Which attributes an image has: recall{f', {study.arm.name}' if many else ''}"
    return Table(
        title,
        "Share of the images with an attribute whose set has it. One λ for all keeps as many labels as are true on "
        "average, so frequent attributes get them; a λ for each attribute bounds the recall of each; risk control "
        "bounds the share of an image's labels that is missed, on average over all images; those without a label count "
        "as 0 there and are left out of the last row, which may therefore be higher.",
        ["Attribute", "frequency", *(sentences.called(rule) for rule in rules)],
        [*rows, sizes, missed],
    )


def _recall_chart(study: StudiedSets) -> Chart | None:
    of_all = study.summary["attributes"]
    rules = [rule for rule in SIDE_BY_SIDE if of_all and rule in of_all["rules"]]
    if not rules:
        return None
    by_rule = {
        sentences.called(rule): {
            name: Estimate.from_json(of_all["rules"][rule]["recall"][name]) for name in _by_prevalence(of_all)
        }
        for rule in rules
    }
    label = "Recall of each attribute by one λ for all, by a λ for each, and by risk control, with intervals."
    figure = classes_figure(by_rule, study.alpha, what="recall")
    return Chart(inline(figure, f"{label} The table beside it has all numbers."), ["Rarest attribute first.", label])


def _by_prevalence(of_all: Mapping[str, Any]) -> list[str]:
    shares = of_all["prevalence"]
    return sorted(of_all["answers"], key=lambda name: (shares[name] is None, shares[name] or 0.0, name))
