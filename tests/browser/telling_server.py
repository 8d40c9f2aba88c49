"""The server, as `python -m streamlit`, which also reports what it holds in memory and lets visitors wait.

At SIGUSR1 it writes to the file that TELL names, as JSON, which of the texts in the file that ASK names some
object still holds, and how many uploaded photos there are.
At SIGUSR2 it takes the models' turn, makes the file that HOLD names, and keeps the turn while it is there.
"""

import gc
import json
import os
import signal
import time
from pathlib import Path
from threading import Thread

from streamlit.web.cli import main

ASK, TELL, HOLD = "TELLING_SERVER_ASK", "TELLING_SERVER_TELL", "TELLING_SERVER_HOLD"


def tell(*_: object) -> None:
    from skin_ai.views.case.case_state import Photo

    asked = json.loads(Path(os.environ[ASK]).read_text())
    gc.collect()
    objects = [one for one in gc.get_objects() if one is not asked]
    held = {one for one in gc.get_referents(*objects) if isinstance(one, str)}
    texts = [text for text in asked if any(text in one for one in held)]
    photos = sum(type(one) is Photo and not one.sample for one in objects)
    told = Path(os.environ[TELL])
    told.with_suffix(".part").write_text(json.dumps({"texts": texts, "photos": photos}))
    told.with_suffix(".part").replace(told)


def hold() -> None:
    from skin_ai.server.turns import OF_MODELS

    held = Path(os.environ[HOLD])
    with OF_MODELS.taken(lambda _: None):
        held.touch()
        while held.exists():
            time.sleep(0.05)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    signal.signal(signal.SIGUSR2, lambda *_: Thread(target=hold, daemon=True).start())
    main()
