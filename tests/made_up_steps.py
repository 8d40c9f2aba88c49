"""An invented elimination, for tests of its text and picture."""

from skin_ai.predict.chain import Option, Step


def step(*options: tuple[str, float, float, float], keep: int) -> Step:
    return Step(tuple(Option(type_, p, rank < keep, w, f) for rank, (type_, p, w, f) in enumerate(options)))


STEPS = (
    step(
        ("MEL", 0.5, 0.1, 2.0),
        ("NEV", 0.4, 0.2, 1.0),
        ("SEK", 0.06, -0.1, -1.5),
        ("ACK", 0.04, -0.2, -1.5),
        keep=2,
    ),
    step(("NEV", 0.9, 1.8, 0.1), ("MEL", 0.1, -1.8, -0.1), keep=1),
)
