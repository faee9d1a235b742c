"""What an affine transform may be asked for."""

FILL_MODES = ("constant", "nearest", "reflect", "wrap")  # what lies outside the image
ORDERS = (0, 1, 2, 3, 4, 5)  # of the spline between pixels: 0 is the nearest pixel, 1 is linear
