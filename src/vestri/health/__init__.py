"""Which replicas are up, by asking them.

The monitor knows when a question is due, the probe asks it once, the recorder knows what the answers
amount to. They are put together where the services are, with treq imported at the first question:

checked = [(pool, service.health), ...]
recorder = Recorder(checked, [log_change])
ask = Asker(lambda: probing_client(treq.client.HTTPClient, reactor), reactor)
monitor = HealthMonitor(checked, ask, recorder.record, reactor, Random())
"""

from vestri.health.client import probing_client
from vestri.health.monitor import HealthMonitor
from vestri.health.probe import Asker, Outcome, Question
from vestri.health.recorder import Health, Recorder, log_change

__all__ = ["Asker", "Health", "HealthMonitor", "Outcome", "Question", "Recorder", "log_change", "probing_client"]
