"""Batches for several replicas, processes and hosts: strategies and the tf.data service.

This package shares out the batches of one plan. It must not change which samples are in a batch.
"""
