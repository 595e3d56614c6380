"""Numbers of the materials that faces and what they wear are made of, as triangles carry them."""

SKIN, EYE, TEETH, TONGUE, FRAME, LENS, HAT, EARRING, NECKLACE, TIE, COLLAR, CLOTHES = range(12)
