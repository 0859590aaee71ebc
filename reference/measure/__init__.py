"""The reference's measurements, for instructors: four full runs, and how good they came out."""
