"""What may happen to a sample: augmentation, standardization, and the user's own function.

Ranges become numbers (`augment`, drawn from a key), numbers become a motion (`motion`). What is here must
not know files, formats, or the order of an epoch.
"""
