"""Settings of the intake, beside those of ``palate.settings``."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr

from palate.files.records import Limits
from palate.settings import NONE_IF_EMPTY, Settings, load

_MIB = 2**20


class IntakeSettings(Settings):
    """What the intake needs to know beside where the services are."""

    palate_intake_store: str = Field(
        default="",
        description="where files are kept: file:///<folder>, or an S3 store's address",
    )
    palate_intake_bucket: str = Field(
        default="palate-files",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        description="bucket of the files, made if it is missing",
    )
    palate_intake_store_user: str = Field(default="", description="user of the store")
    palate_intake_store_secret: SecretStr = Field(
        default=SecretStr(""), description="secret of that user"
    )
    palate_intake_spool: Path = Field(
        default=Path(tempfile.gettempdir()),
        description="folder where files are while they come in",
    )
    palate_intake_address: str = Field(
        default="127.0.0.1", description="address that the intake listens on"
    )
    palate_intake_port: int = Field(
        default=8090, ge=1, le=65_535, description="port that it listens on"
    )
    palate_intake_metrics_port: Annotated[int | None, NONE_IF_EMPTY] = Field(
        default=None,
        ge=1,
        le=65_535,
        description="port of its metrics, on loopback; unset: nowhere",
    )
    palate_intake_ready_without: str = Field(
        default="",
        pattern=r"^(kafka)?$",
        description="`kafka`: ready without it too; events wait in the outbox",
    )
    palate_intake_file_bytes: int = Field(
        default=512 * _MIB, ge=1, description="most bytes of a file, unpacked"
    )
    palate_intake_record_bytes: int = Field(
        default=16 * _MIB, ge=1, description="most bytes of a record"
    )
    palate_intake_records: int = Field(
        default=5_000_000, ge=1, description="most records of a file"
    )
    palate_intake_uploads: int = Field(
        default=32, ge=1, le=1_000, description="uploads at once per process"
    )
    palate_intake_company_uploads: int = Field(
        default=4, ge=1, le=1_000, description="uploads at once per company"
    )
    palate_intake_header_seconds: float = Field(
        default=10, gt=0, description="longest time for the headers of a request"
    )
    palate_intake_pause_seconds: float = Field(
        default=30, gt=0, description="longest pause within a body"
    )
    palate_intake_body_seconds: float = Field(
        default=900, gt=0, description="longest time for a body"
    )
    palate_intake_keep_days: Annotated[int | None, NONE_IF_EMPTY] = Field(
        default=None, ge=1, description="days that files are kept; unset: for ever"
    )
    palate_intake_stop_seconds: int = Field(
        default=60, ge=1, description="time that requests under way have at the end"
    )

    @property
    def limits(self) -> Limits:
        """Return what a file may be."""
        return Limits(
            file_bytes=self.palate_intake_file_bytes,
            record_bytes=self.palate_intake_record_bytes,
            records=self.palate_intake_records,
        )

    @classmethod
    def loaded(cls, **values: Any) -> Self:
        """Return the settings from ``values`` and the environment.

        :raises SettingsError: names each setting that is missing or wrong
        """
        return load(cls, **values)
