"""Numbers of the materials of faces and accessories, one of which every triangle has."""

SKIN, EYE, TEETH, TONGUE, FRAME, LENS, HAT, EARRING, NECKLACE, TIE, COLLAR, CLOTHES = range(12)
