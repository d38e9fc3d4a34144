"""SDRs after intake: pulled, delivered, confirmed or rejected, asked about (4.3-I3).

The home CSP sees what it has to pay, the submitter what it sent. The EV user's
credential and contract are told to the home CSP, whose user it is, and to the submitter
only as far as it sent them itself (clause 8-min).
"""

from __future__ import annotations
