"""The setting of faults on purpose, and what score is like with a guarantee taken away."""

from datetime import timedelta

import pytest

from functions.score.fault import Faults, FaultSettingInvalid, Guarantee, InjectedFault, Step, faults
from functions.score.sabotage import ForgetfulHistory, HastyOutbox
from shared.testing.history import MemoryHistory
from shared.testing.recorder import MemoryRecorder
from tests.builders import NOON, a_scored_transaction, a_transaction, an_alarm


def test_without_a_setting_nothing_strikes_and_every_guarantee_holds() -> None:
    assert faults("") == Faults()


def test_strikes_and_switches_stand_in_one_list() -> None:
    planned = faults("gate:off,record:raise:2,outbox:off,mark:raise")
    assert planned.off == {Guarantee.GATE, Guarantee.OUTBOX}
    planned.reach(Step.RECORD)
    for step in (Step.RECORD, Step.MARK):
        with pytest.raises(InjectedFault):
            planned.reach(step)


@pytest.mark.parametrize("setting", ["gate", "gate:on", "record:off", "record:kill,", "gate:off record:kill"])
def test_a_list_that_makes_no_sense_is_refused(setting: str) -> None:
    with pytest.raises(FaultSettingInvalid, match="FRAUDSENSE_FAULT"):
        faults(setting)


def test_without_the_historys_guarantee_a_repetition_counts_again() -> None:
    history = ForgetfulHistory(MemoryHistory())
    for _ in range(2):
        history.observe([a_transaction()])
    [past] = history.observe([a_transaction(occurred_at=NOON + timedelta(hours=1))])
    assert past.count_24h == 2


def test_without_the_outboxs_guarantee_an_alert_counts_as_announced_before_it_is() -> None:
    recorder = MemoryRecorder()
    hasty = HastyOutbox(recorder)
    hasty.record([a_scored_transaction("t", decision=an_alarm())], [])
    assert recorder.unannounced(["t"]) == []
    assert [alert.transaction_id for alert in hasty.unannounced(["t"])] == ["t"]
