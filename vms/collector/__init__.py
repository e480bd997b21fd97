"""The collector: asks its hosts what is there, hears what changes, and writes it down. Also runs the sweeper.

Any number may run; they share the hosts by lease (``lease``). The main thread (``process``) decides what is asked when
and waits for nobody; bounded threads (``lanes``) ask and others write. A host that does not answer costs one of these
threads until its deadline (``deadlines``), and is then left alone for a while (``watch``).

    watcher     one hypervisor: what is asked of it, and its answer
    writing     an answer into the database; what follows from it (metrics, drift, suspensions) is called from there
"""
