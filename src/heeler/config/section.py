"""A section of the configuration: a frozen model that knows all its settings and refuses others."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that belong together. Each has a type, a default unless it must be given, and a sentence.

    The sentence is the ``description`` of its field: the reference, the commented example and the errors show it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
