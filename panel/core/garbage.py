"""Python's garbage collector, told that a process makes much that dies at once and keeps what it began with."""

import gc

# A list of 100 servers makes some 15,000 objects; the default looks at them all, often. The third number bounds what a
# process holds in vain: old objects that refer to themselves go only with a full collection, of which there is one for
# each million objects that stayed.
THRESHOLDS = (20_000, 10, 5)


def collect_seldom() -> None:
    """Leave what is alive now out of every later collection, and collect less often.

    Call it once a process, when its code is loaded. Without it one list in ten waits a tenth of a second for a full
    collection that finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
