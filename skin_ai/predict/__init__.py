"""What the app uses to answer a case: from photo and words to facts and ranked types."""
