"""One attempt of a delivery: what is told, to whom, and how it ended.

The message is made when it is sent, from what is stored then: the outbox holds
references, and personal data leave the vault for the moment of the call only.
"""

from __future__ import annotations

from typing import assert_never

from clearinghouse.domain.outbox import Attempt, DeliveryKind
from clearinghouse.services import sdr_delivery, sessions, settlement_notices
from clearinghouse.services.environment import Environment
from clearinghouse.services.ports import (
    Answered,
    Busy,
    Deadline,
    Faulted,
    NoEndpoint,
    Refused,
    Reply,
    Taken,
    TimedOut,
    Unreachable,
)
from clearinghouse.storage.outbox import Delivery

#: Longest call. Half a lease, so that nobody else takes the delivery meanwhile.
CALL_MILLISECONDS = 30_000


def attempt(env: Environment, delivery: Delivery) -> Attempt:
    """Make one attempt and say how it ended.

    What must be known of a delivery that was taken is stored before this returns.
    Raises :class:`ClearingHouseError` when our own database cannot do its part.
    """
    match delivery.kind:
        case DeliveryKind.NOTIFY_SESSION:
            return _notify_session(env, delivery)
        case DeliveryKind.DELIVER_SDRS:
            return _deliver_sdrs(env, delivery)
        case DeliveryKind.NOTIFY_SDRS:
            return _notify_sdrs(env, delivery)
        case DeliveryKind.NOTIFY_SETTLEMENT:
            return _notify_settlement(env, delivery)
        case _:
            assert_never(delivery.kind)


def _notify_session(env: Environment, delivery: Delivery) -> Attempt:
    notice = sessions.session_notice(env, delivery.payload)
    if notice is None:
        return Attempt.MOOT
    reply = env.partners.notify_session(
        delivery.participant_id, notice, deadline=Deadline.after(CALL_MILLISECONDS)
    )
    return outcome_of(reply)


def _deliver_sdrs(env: Environment, delivery: Delivery) -> Attempt:
    sdrs = sdr_delivery.to_deliver(env, delivery)
    if not sdrs:
        return Attempt.MOOT
    reply = env.partners.deliver_sdrs(
        delivery.participant_id,
        delivery.delivery_id,
        sdrs=sdrs,
        deadline=Deadline.after(CALL_MILLISECONDS),
    )
    outcome = outcome_of(reply)
    if outcome is Attempt.TAKEN:
        sdr_delivery.record_delivered(env, delivery)
    return outcome


def _notify_sdrs(env: Environment, delivery: Delivery) -> Attempt:
    notices = sdr_delivery.notices(env, delivery)
    if not notices:
        return Attempt.MOOT
    reply = env.partners.notify_sdrs(
        delivery.participant_id,
        delivery.delivery_id,
        notices=notices,
        deadline=Deadline.after(CALL_MILLISECONDS),
    )
    return outcome_of(reply)


def _notify_settlement(env: Environment, delivery: Delivery) -> Attempt:
    notices = settlement_notices.notices(env, delivery)
    if not notices:
        return Attempt.MOOT
    reply = env.partners.notify_settlement(
        delivery.participant_id,
        delivery.delivery_id,
        notices=notices,
        deadline=Deadline.after(CALL_MILLISECONDS),
    )
    # A partner of an older contract knows no such operation, and finds out by asking.
    # Nothing is lost with a notice, so nobody has to look after it.
    if reply == Faulted(took_effect_unknown=False):
        return Attempt.MOOT
    return outcome_of(reply)


_OUTCOMES: dict[type[Reply[Taken]], Attempt] = {
    Answered: Attempt.TAKEN,
    TimedOut: Attempt.TIMED_OUT,
    Unreachable: Attempt.UNREACHABLE,
    Busy: Attempt.NOT_SENT,
    NoEndpoint: Attempt.NO_ENDPOINT,
}


def outcome_of(reply: Reply[Taken]) -> Attempt:
    """Return what a reply means for the delivery.

    A partner that finds fault with the message finds it again in a repeat: it counts
    as a refusal. A partner that blames itself is asked again.
    """
    match reply:
        case Refused(_, retryable):
            return Attempt.REFUSED_FOR_NOW if retryable else Attempt.REFUSED
        case Faulted(took_effect_unknown):
            return Attempt.FAULTED if took_effect_unknown else Attempt.REFUSED
        case _:
            return _OUTCOMES[type(reply)]
