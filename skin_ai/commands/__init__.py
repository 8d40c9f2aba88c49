"""Commands that stand above all other rooms: they may import any of them but views."""
