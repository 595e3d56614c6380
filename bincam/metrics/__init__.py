"""Metrics of evidence maps: pure functions of maps, masks and, where it has to be evaluated again, the model.

``localization`` compares evidence with regions, ``faithfulness`` with the model's response to changed pixels;
``randomization`` tests the dependence on learned parameters, ``specificity`` if an attribute's map is its own;
``attention_overlap`` compares different attributes' maps; ``counterfactual`` compares changes of maps with known
changes of the logit, and ``perturbation`` has maps that read neither features nor gradients.

Public names are loaded on first use, so ``import bincam.metrics`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.metrics.attention_overlap import AttentionOverlap as AttentionOverlap
    from bincam.metrics.attention_overlap import Leakage as Leakage
    from bincam.metrics.counterfactual.changes import MapChanges as MapChanges
    from bincam.metrics.counterfactual.changes import map_changes as map_changes
    from bincam.metrics.counterfactual.scores import CounterfactualScore as CounterfactualScore
    from bincam.metrics.counterfactual.scores import counterfactual_score as counterfactual_score
    from bincam.metrics.faithfulness.deletion_insertion import Curve as Curve
    from bincam.metrics.faithfulness.deletion_insertion import deletion as deletion
    from bincam.metrics.faithfulness.deletion_insertion import insertion as insertion
    from bincam.metrics.faithfulness.infidelity import Infidelity as Infidelity
    from bincam.metrics.faithfulness.infidelity import infidelity as infidelity
    from bincam.metrics.faithfulness.infidelity import square_patches as square_patches
    from bincam.metrics.faithfulness.pixel_ranking import ranks as ranks
    from bincam.metrics.faithfulness.pixel_ranking import strongest as strongest
    from bincam.metrics.faithfulness.pixel_ranking import weakest as weakest
    from bincam.metrics.faithfulness.road import Road as Road
    from bincam.metrics.faithfulness.road import impute as impute
    from bincam.metrics.faithfulness.road import road as road
    from bincam.metrics.localization.boxes.coco import Marked as Marked
    from bincam.metrics.localization.boxes.coco import coco_document as coco_document
    from bincam.metrics.localization.boxes.coco import coco_results as coco_results
    from bincam.metrics.localization.boxes.coco import rle as rle
    from bincam.metrics.localization.boxes.coco import write_coco as write_coco
    from bincam.metrics.localization.boxes.columns import BoxColumns as BoxColumns
    from bincam.metrics.localization.boxes.columns import box_columns as box_columns
    from bincam.metrics.localization.boxes.constant import ConstantBoxes as ConstantBoxes
    from bincam.metrics.localization.boxes.constant import fit_constant_boxes as fit_constant_boxes
    from bincam.metrics.localization.boxes.nulls import BoxNulls as BoxNulls
    from bincam.metrics.localization.boxes.nulls import box_nulls as box_nulls
    from bincam.metrics.localization.boxes.overlaps import Overlaps as Overlaps
    from bincam.metrics.localization.boxes.overlaps import iou as iou
    from bincam.metrics.localization.boxes.pixels import level_histograms as level_histograms
    from bincam.metrics.localization.boxes.pixels import pixel_histograms as pixel_histograms
    from bincam.metrics.localization.boxes.pixels import pxap as pxap
    from bincam.metrics.localization.boxes.pixels import pxap_estimate as pxap_estimate
    from bincam.metrics.localization.boxes.protocols.clean import clean_boxes as clean_boxes
    from bincam.metrics.localization.boxes.protocols.clean import clean_histograms as clean_histograms
    from bincam.metrics.localization.boxes.protocols.clean import clean_overlaps as clean_overlaps
    from bincam.metrics.localization.boxes.protocols.clean import clean_scores as clean_scores
    from bincam.metrics.localization.boxes.protocols.clovaai import clovaai_boxes as clovaai_boxes
    from bincam.metrics.localization.boxes.protocols.clovaai import clovaai_overlaps as clovaai_overlaps
    from bincam.metrics.localization.boxes.protocols.clovaai import clovaai_scores as clovaai_scores
    from bincam.metrics.localization.boxes.protocols.clovaai import inclusive_iou as inclusive_iou
    from bincam.metrics.localization.boxes.protocols.clovaai import scaled_boxes as scaled_boxes
    from bincam.metrics.localization.boxes.protocols.components import Components as Components
    from bincam.metrics.localization.boxes.protocols.components import component_mask as component_mask
    from bincam.metrics.localization.boxes.protocols.components import components_at as components_at
    from bincam.metrics.localization.boxes.protocols.zhou import zhou_boxes as zhou_boxes
    from bincam.metrics.localization.boxes.protocols.zhou import zhou_overlaps as zhou_overlaps
    from bincam.metrics.localization.boxes.reach import box_reach as box_reach
    from bincam.metrics.localization.boxes.reach import grid_reach as grid_reach
    from bincam.metrics.localization.boxes.scores import BoxScores as BoxScores
    from bincam.metrics.localization.boxes.scores import best_level as best_level
    from bincam.metrics.localization.boxes.scores import box_scores as box_scores
    from bincam.metrics.localization.boxes.scores import hit_rate as hit_rate
    from bincam.metrics.localization.boxes.summary import BoxSummary as BoxSummary
    from bincam.metrics.localization.boxes.summary import box_summary as box_summary
    from bincam.metrics.localization.boxes.verdict import judgement as judgement
    from bincam.metrics.localization.cells.columns import image_columns as image_columns
    from bincam.metrics.localization.cells.columns import null_columns as null_columns
    from bincam.metrics.localization.cells.foreground import Foreground as Foreground
    from bincam.metrics.localization.cells.foreground import foreground as foreground
    from bincam.metrics.localization.cells.partners import absent_outputs as absent_outputs
    from bincam.metrics.localization.cells.partners import donors as donors
    from bincam.metrics.localization.cells.partners import partners as partners
    from bincam.metrics.localization.cells.placements import independent_chance as independent_chance
    from bincam.metrics.localization.cells.placements import recovery_chance as recovery_chance
    from bincam.metrics.localization.cells.ranking import cell_auroc as cell_auroc
    from bincam.metrics.localization.cells.sides import CellShares as CellShares
    from bincam.metrics.localization.cells.sides import cell_shares as cell_shares
    from bincam.metrics.localization.cells.sides import recoverable as recoverable
    from bincam.metrics.localization.cells.sides import recovery as recovery
    from bincam.metrics.localization.energy import RegionMeasures as RegionMeasures
    from bincam.metrics.localization.energy import area_share as area_share
    from bincam.metrics.localization.energy import concentration as concentration
    from bincam.metrics.localization.energy import empty as empty
    from bincam.metrics.localization.energy import mass as mass
    from bincam.metrics.localization.energy import published_energy as published_energy
    from bincam.metrics.localization.energy import region_measures as region_measures
    from bincam.metrics.localization.energy import relevance_rank as relevance_rank
    from bincam.metrics.localization.pointing_game import hit_cells as hit_cells
    from bincam.metrics.localization.pointing_game import peak as peak
    from bincam.metrics.localization.pointing_game import pointing as pointing
    from bincam.metrics.localization.pointing_game import pointing_centre as pointing_centre
    from bincam.metrics.localization.pointing_game import pointing_chance as pointing_chance
    from bincam.metrics.perturbation.occlusion import occlusion as occlusion
    from bincam.metrics.perturbation.rise import rise as rise
    from bincam.metrics.randomization.cascade import Randomisation as Randomisation
    from bincam.metrics.randomization.cascade import randomisation as randomisation
    from bincam.metrics.randomization.dependence import ParameterDependence as ParameterDependence
    from bincam.metrics.randomization.dependence import parameter_dependence as parameter_dependence
    from bincam.metrics.randomization.rank_correlation import spearman as spearman
    from bincam.metrics.specificity.attribute_marks import Specificity as Specificity
    from bincam.metrics.specificity.attribute_marks import attribute_specificity as attribute_specificity
    from bincam.metrics.specificity.unexplained import own_share as own_share

_MODULES = {
    "attention_overlap": ("AttentionOverlap", "Leakage"),
    "counterfactual.changes": ("MapChanges", "map_changes"),
    "counterfactual.scores": ("CounterfactualScore", "counterfactual_score"),
    "faithfulness.deletion_insertion": ("Curve", "deletion", "insertion"),
    "faithfulness.infidelity": ("Infidelity", "infidelity", "square_patches"),
    "faithfulness.pixel_ranking": ("ranks", "strongest", "weakest"),
    "faithfulness.road": ("Road", "impute", "road"),
    "localization.boxes.protocols.clean": ("clean_boxes", "clean_histograms", "clean_overlaps", "clean_scores"),
    "localization.boxes.protocols.clovaai": (
        "clovaai_boxes",
        "clovaai_overlaps",
        "clovaai_scores",
        "inclusive_iou",
        "scaled_boxes",
    ),
    "localization.boxes.coco": ("Marked", "coco_document", "coco_results", "rle", "write_coco"),
    "localization.boxes.columns": ("BoxColumns", "box_columns"),
    "localization.boxes.protocols.components": ("Components", "component_mask", "components_at"),
    "localization.boxes.constant": ("ConstantBoxes", "fit_constant_boxes"),
    "localization.boxes.nulls": ("BoxNulls", "box_nulls"),
    "localization.boxes.overlaps": ("Overlaps", "iou"),
    "localization.boxes.pixels": ("level_histograms", "pixel_histograms", "pxap", "pxap_estimate"),
    "localization.boxes.reach": ("box_reach", "grid_reach"),
    "localization.boxes.scores": ("BoxScores", "best_level", "box_scores", "hit_rate"),
    "localization.boxes.summary": ("BoxSummary", "box_summary"),
    "localization.boxes.verdict": ("judgement",),
    "localization.boxes.protocols.zhou": ("zhou_boxes", "zhou_overlaps"),
    "localization.cells.columns": ("image_columns", "null_columns"),
    "localization.cells.foreground": ("Foreground", "foreground"),
    "localization.cells.partners": ("absent_outputs", "donors", "partners"),
    "localization.cells.placements": ("independent_chance", "recovery_chance"),
    "localization.cells.ranking": ("cell_auroc",),
    "localization.cells.sides": ("CellShares", "cell_shares", "recoverable", "recovery"),
    "localization.energy": (
        "RegionMeasures",
        "area_share",
        "concentration",
        "empty",
        "mass",
        "published_energy",
        "region_measures",
        "relevance_rank",
    ),
    "localization.pointing_game": ("hit_cells", "peak", "pointing", "pointing_centre", "pointing_chance"),
    "perturbation.occlusion": ("occlusion",),
    "perturbation.rise": ("rise",),
    "randomization.cascade": ("Randomisation", "randomisation"),
    "randomization.dependence": ("ParameterDependence", "parameter_dependence"),
    "randomization.rank_correlation": ("spearman",),
    "specificity.attribute_marks": ("Specificity", "attribute_specificity"),
    "specificity.unexplained": ("own_share",),
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
