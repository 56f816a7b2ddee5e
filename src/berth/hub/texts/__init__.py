"""What users read: the catalogue of texts, in their language, and words for times, sizes and GPUs."""
