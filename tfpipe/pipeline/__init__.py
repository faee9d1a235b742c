"""The place where the graph is built: order, load, augment, batch, finish.

A `Plan` is made from a source and a `PipelineSpec`; `pipeline.py` turns it into one `tf.data` graph. This
package must not know which door the arguments came through, or who takes the batches.
"""
