from skin_ai.__main__ import main
from skin_ai.predict.bundle import WEIGHTS, WITHOUT_PHOTO


def test_a_bag_of_words_is_not_added_twice(capsys, tmp_path):
    """Predictions that hold it already would count its words double."""
    assert main(["refit-words", str(WEIGHTS / WITHOUT_PHOTO), "--data", str(tmp_path)]) == 2
    assert "has a bag of words in its predictions already" in capsys.readouterr().err
