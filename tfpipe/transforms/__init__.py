"""What may happen to a sample: augmentation, standardization, and the user's own function.

`augment` holds ranges; `draws` draws numbers within them, from a key; `motion` turns numbers into a motion.
This package must not know about files, formats or the order of an epoch.
"""
