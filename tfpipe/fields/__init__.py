"""The kinds of field that a sample has: image, mask, label.

Images and masks are loaded from columns of a source, labels are encoded from its targets.
`pipeline/stages.py` augments them and finishes each batch. The code here must not know the order of an epoch,
or how a data set is delivered.
"""
