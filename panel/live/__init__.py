"""What surrounds Django in the web process: admission by database slots, and answers that stay open for long.

An open stream or a waiting request holds no thread and no database connection; everything else passes
through Django in one of a fixed number of threads.
"""
