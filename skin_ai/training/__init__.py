"""From a folder of cases to a bundle; the app never imports this package."""
