"""From a photo and a narrative to a diagnosis: everything that predicts, in the app and in evaluation."""
