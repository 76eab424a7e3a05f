"""An area and its sources, as ``area.yaml`` and ``source.yaml`` say.

An area is a folder below ``sql/areas``: what one system sends, and all that is made of
it. A source is a folder of it: what one kind of messages looks like.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palate.names import RECORDS_FEED, REPLAY_FEED, Identifier, is_feed
from palate.settings import Settings

Name = Annotated[str, Identifier]
# What Kafka takes for a topic's name. It has no slash, so no feed of ours is like one.
Topic = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
# What an area may have; ``palate.pipelines`` knows what each does.
Layer = Literal[
    "drain", "records", "vault", "dictionaries", "marts", "copies", "tags", "publish"
]


class Source(BaseModel):
    """A source: messages of Kafka topics, or of one feed that Palate numbers itself.

    One of changes may have both: its feed has what a comparison with the source has
    read. ``clock`` is a form whose changes ascend: where they go back, the topics tell
    of another cluster, or of a restored one, and nothing is loaded until that is
    accepted.
    ``topics`` are its topics, each with the form of its messages, unless
    ``PALATE_TOPICS`` names others of these forms. With ``prefix_setting`` their names
    begin with that setting's value and a dot. Messages of ``quiet`` forms start no run,
    and no promise is given for them. What is ``taken_by`` another stage than the vault
    needs no shape: that stage judges it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    area: Name
    description: str = Field(min_length=10)
    topics: dict[Topic, Name] = {}
    prefix_setting: Name | None = None
    quiet: frozenset[Name] = frozenset()
    feed: str | None = None
    clock: Name | None = None
    taken_by: Layer | None = None

    @model_validator(mode="after")
    def _has_an_origin(self) -> Self:
        if not self.topics and not self.feed:
            message = "a source has topics, or one feed"
            raise ValueError(message)
        if self.clock and self.clock not in self.forms:
            message = f"clock names {self.clock}, which is the form of no topic"
            raise ValueError(message)
        if self.prefix_setting and self.prefix_setting not in Settings.model_fields:
            message = f"prefix_setting: there is no setting {self.prefix_setting}"
            raise ValueError(message)
        if self.quiet - self.forms:
            message = f"quiet names {', '.join(sorted(self.quiet - self.forms))}, which"
            raise ValueError(f"{message} is the form of no topic")
        return self

    def __hash__(self) -> int:
        """Return a hash by its place; its fields have mappings."""
        return hash((self.area, self.name))

    def topics_by(self, settings: Settings) -> dict[str, str]:
        """Return its topics by the names that they have with these settings."""
        if self.prefix_setting is None:
            return dict(self.topics)
        prefix = getattr(settings, self.prefix_setting)
        return {f"{prefix}.{topic}": form for topic, form in self.topics.items()}

    @property
    def is_replayed(self) -> bool:
        """Return whether messages of it may be refused first, and accepted later."""
        return bool(self.topics) or (self.feed or "").startswith(RECORDS_FEED)

    @property
    def forms(self) -> frozenset[str]:
        """Return the forms of its messages."""
        return frozenset(self.topics.values())

    @property
    def folder(self) -> str:
        """Return its folder below ``sql/``."""
        return f"areas/{self.area}/sources/{self.name}"


class Area(BaseModel):
    """An area, with its sources.

    ``prefix`` begins the names of its stages in the ledger. ``freshness_seconds`` is
    its promise, if not that of ``PALATE_FRESHNESS_SECONDS``. ``rows`` is the satellite
    with one row per accepted message: by it the stages after the vault cut their
    batches; without it, by the messages in STG. ``asset`` is the table or view that
    stands for its vault in Airflow's graph of assets. One that is ``only_if_named`` is
    off unless ``PALATE_AREAS`` names it: it needs services that not everybody has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str = Field(min_length=10)
    sources: tuple[Source, ...] = Field(min_length=1)
    prefix: str = Field(pattern=r"^([a-z][a-z0-9_]*/)?$")
    dag: Name
    asset: Name
    stages: tuple[Layer, ...] = ("drain", "vault", "marts")
    rows: Name | None = None
    freshness_seconds: float | None = Field(default=None, gt=0)
    only_if_named: bool = False

    @model_validator(mode="after")
    def _names_its_own_feeds(self) -> Self:
        for source in self.sources:
            if not source.feed:
                continue
            if not source.feed.startswith((self.prefix, f"{self.name}.")):
                message = f"the feed {source.feed} does not begin with {self.prefix}"
                raise ValueError(message)
            if not is_feed(source.feed):
                message = f"the feed {source.feed} may be a topic: names.is_feed"
                raise ValueError(message)
        return self

    def __hash__(self) -> int:
        """Return a hash by its name; its fields have mappings."""
        return hash(self.name)

    def stage(self, name: str) -> str:
        """Return a stage's name in the ledger: ``vault`` or ``reviews/vault``."""
        return f"{self.prefix}{name}"

    @property
    def label(self) -> str:
        """Return what its DAG, and the asset that starts it, are named after."""
        return self.dag.removesuffix("_stream")

    @property
    def history_dag(self) -> str:
        """Return the name of the DAG that reloads its history."""
        return f"{self.label}_history_reload"

    @property
    def drain(self) -> str:
        """Return the name of the stage that reads its topics."""
        return self.stage("drain")

    @property
    def vault(self) -> str:
        """Return the name of the stage that loads its part of the vault."""
        return self.stage("vault")

    @property
    def replays(self) -> str:
        """Return the feed of its refused messages that are judged again."""
        return self.stage(REPLAY_FEED)

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the feeds that Palate numbers itself."""
        own = [source.feed for source in self.sources if source.feed]
        return (*own, self.replays)

    @property
    def upstream(self) -> tuple[str, ...]:
        """Return whose positions its vault takes."""
        return (self.drain, *self.feeds)

    @property
    def rows_table(self) -> str:
        """Return the table whose rows a batch after the vault is cut by."""
        return f"dds.{self.rows}" if self.rows else "stg.order_events"
