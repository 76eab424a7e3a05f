"""What a broker does wrong ends in a sentence, whatever the client raises."""

import pytest

from deploy.local.ports import Ports
from palate import staging
from palate.errors import ServiceUnavailableError, TopicMissingError
from palate.settings import Settings
from tests.integration.staged import caller, with_topics


def test_missing_topic_is_named_with_those_there_are(warehouse: Settings) -> None:
    settings = with_topics(warehouse, {"no-such-topic": "raw"})

    with pytest.raises(TopicMissingError, match="has no topic no-such-topic"):
        staging.run(settings, caller("drain"))


# The client leaves its sockets to the garbage when it can't connect.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_broker_that_is_down_is_named(warehouse: Settings) -> None:
    nowhere = f"127.0.0.1:{Ports.free().kafka}"
    settings = warehouse.model_copy(
        update={"kafka_bootstrap": nowhere, "palate_kafka_timeout": 1}
    )

    with pytest.raises(ServiceUnavailableError, match=f"{nowhere} does not answer"):
        staging.run(settings, caller("drain"))
