"""The functions of `tensorflow.keras.preprocessing.image`, so that a script has one import line to change.

They are Keras' own, and work on single images, in NumPy and Pillow, outside of any data set.
"""

from tensorflow.keras.preprocessing.image import apply_affine_transform as apply_affine_transform
from tensorflow.keras.preprocessing.image import apply_brightness_shift as apply_brightness_shift
from tensorflow.keras.preprocessing.image import apply_channel_shift as apply_channel_shift
from tensorflow.keras.preprocessing.image import array_to_img as array_to_img
from tensorflow.keras.preprocessing.image import img_to_array as img_to_array
from tensorflow.keras.preprocessing.image import load_img as load_img
from tensorflow.keras.preprocessing.image import random_brightness as random_brightness
from tensorflow.keras.preprocessing.image import random_channel_shift as random_channel_shift
from tensorflow.keras.preprocessing.image import random_rotation as random_rotation
from tensorflow.keras.preprocessing.image import random_shear as random_shear
from tensorflow.keras.preprocessing.image import random_shift as random_shift
from tensorflow.keras.preprocessing.image import random_zoom as random_zoom
from tensorflow.keras.preprocessing.image import save_img as save_img
from tensorflow.keras.preprocessing.image import smart_resize as smart_resize
