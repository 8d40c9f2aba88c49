"""Which symptoms a made-up narrative mentions."""

import re

# Words that only a sentence about this symptom uses.
MENTIONS = {
    "itch": r"itch|scratch|tickl",
    "grew": r"grow|grew|bigger|smaller|\bsize\b|larger|expand|enlarge",
    "hurt": r"hurt|pain|\bsore(?!s)|\bach(e|es)\b|tender|winc",
    "changed": r"chang|colour|shape|appearance|different|tint|shade|outline|alter",
    "bleed": r"bleed|\bbled\b|blood",
    "elevation": r"raised|bump|\bflat\b|lump|protrud|sticks? out|elevated",
    "burn": r"burn|on fire|\bsmarts|candle|stove",
    "darken": r"dark|lighter|\blight\b|\bblack|brown|\bpale",
    "rough": r"\brough|flak|\bscaly|smooth|sandpaper|peel|coarse|silky|bits of",
    "fluid": r"fluid|water|liquid|runny|\bwe(eps|pt)\b|leak",
    "fever": r"fever|chill|temperature|shiver|thermometer",
    "tired": r"tired|fatigue|exhaust|energy|worn out|weari|lively|flagging|batteries|\bdrag",
    "joints": r"joint",
    "mouth": r"mouth|gums|tongue|inside (of )?my cheeks",
    "breath": r"breath|\bair\b|gasp",
}
# Joints and mouths hurt, a lump sticks out, and a colour is told by its name.
SHARES_WORDS_WITH = {
    "joints": {"hurt"},
    "mouth": {"hurt"},
    "growth": {"grew", "elevation"},
    "colour": {"changed"},
}


def mentioned(text: str, allowed: str) -> list[str]:
    """Symptoms that the text speaks of, besides one symptom or kind and those that share its words."""
    fine = {allowed, *SHARES_WORDS_WITH.get(allowed, ())}
    return [s for s, pattern in MENTIONS.items() if s not in fine and re.search(pattern, text.lower())]


def words_of(text: str) -> str:
    return re.sub(r"[^a-z0-9{}]+", " ", text.lower()).strip()
