"""Who is at the screen: reader, kiosk, sign-in."""
