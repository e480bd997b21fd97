"""What guests and hosts have used over time: sampled by the collector, rolled up in PostgreSQL, read by graphs.

``kinds`` says what is measured, ``sampling`` turns counters into samples (pure), ``open_window`` keeps what is not
written yet, ``store`` writes and rolls up, ``recorder`` is what the collector calls, ``reading`` and ``fleet`` read.
"""
