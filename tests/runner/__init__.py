"""What ``make test`` runs: prepares the machine, runs the suites in two lanes, reports. Standard library only."""
