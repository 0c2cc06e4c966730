"""Which replicas are up, by asking them.

The monitor knows when a question is due, the probe asks it once, the recorder knows what the answers
amount to. They are put together where the services are; what the probe needs of twisted.web and treq is
imported at the first question, which comes after listening:

checked = [(pool, service.health), ...]
recorder = Recorder(checked, [log_change])
monitor = HealthMonitor(checked, ask, recorder.record, reactor, Random())
"""
