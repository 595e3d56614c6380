"""Object storage: audits at an address such as ``s3://bucket/audits/mine``, read and written through a local copy.

Public names are loaded on first use, so ``import bincam.storage`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.storage.address import is_address as is_address
    from bincam.storage.mirror import address_of as address_of
    from bincam.storage.mirror import local_folder as local_folder
    from bincam.storage.mirror import named as named
    from bincam.storage.mirror import refresh as refresh
    from bincam.storage.mirror import shown as shown

_NAMES = {
    "address_of": "mirror",
    "is_address": "address",
    "local_folder": "mirror",
    "named": "mirror",
    "refresh": "mirror",
    "shown": "mirror",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
