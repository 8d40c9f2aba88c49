"""Reader studies: what is kept, blinding, decks, statistics and export."""
