"""Reader studies: storage, blinding, decks, statistics and export."""
