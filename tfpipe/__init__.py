"""tfpipe: image files, dataframes and arrays as one tf.data graph, with the classic generator's names.

The public names are listed once, in `__init__.pyi`. Each is imported when it is first used, because
TensorFlow takes seconds to import, which `tfpipe --help` need not wait for, and logs at once unless the
command line silences it first.
"""

import lazy_loader

from tfpipe._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
