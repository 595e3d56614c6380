"""All cases of the sweep."""

from tests.sweep.families import CASES as OF_FAMILIES
from tests.sweep.huggingface import CASES as OF_HUGGING_FACE

CASES = (*OF_FAMILIES, *OF_HUGGING_FACE)
