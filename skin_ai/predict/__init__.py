"""From a photo and a narrative to a diagnosis: all that the app uses to predict."""
