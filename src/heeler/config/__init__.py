"""What people configure: how values are written, how a section is described, how a file is read.

The sections themselves are described where they are used: that of a source beside the source.
"""
