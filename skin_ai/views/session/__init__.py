"""Who is at the screen: the reader, conference mode, sign-in."""
