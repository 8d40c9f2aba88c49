"""What one session sent to the server, recorded and sent again in another session."""

import re

from at_the_screen import Server

from benchmarks.visitors import Visitor
from skin_ai.study.store import open_store

PICTURE = re.compile(rb"data:image/jpeg;base64,([A-Za-z0-9+/]{2000,})")


def test_messages_of_one_session_open_nothing_in_another(server: Server) -> None:
    """They name the case in its address, the widgets of the case and an uploaded file."""
    theirs, mine = Visitor(server.address), Visitor(server.address)
    store = open_store(f"sqlite:///{server.data}/study.db")
    try:
        theirs.one_case()
        kept = store.answers()
        kept = kept[kept["narrative"].str.contains(theirs.token)]
        reader, case = kept["reader"].iloc[0], kept["case"].iloc[0]
        assert list(kept["stage"]) == ["before", "after"]
        assert any(case.encode() in message for message in theirs.sent)
        pictures = {found[500:580] for message in theirs.received for found in PICTURE.findall(message)}
        secrets = {theirs.token.encode(), reader.encode(), b'id="verdict"', *pictures}
        assert pictures and all(any(one in message for message in theirs.received) for one in secrets)
        mine.repeat(theirs.sent)
        assert not {one for one in secrets if any(one in message for message in mine.received)}
        now = store.answers()
        assert now[now["reader"] == reader].equals(kept.set_axis(now.index[now["reader"] == reader]))
        assert set(now.loc[now["case"] == case, "reader"]) == {reader}
    finally:
        theirs.leave()
        mine.leave()
        store.engine.dispose()
