# SPDX-License-Identifier: Apache-2.0
"""The images of an environment: which its stacks use, at which digests, how they are locked and copied.

used.py      the images of every stack of an environment, with what is locked of each
lock.py      asks registries for the digests that are missing, and writes them to the lock
copy.py      the commands that copy the images to another registry
"""
