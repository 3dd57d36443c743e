"""Responses that are well formed but unusable: a create whose id is invalid. The job may exist, so it must not be lost.

Rule: flows alone, with a scripted `Backend`; the same responses over the network are cells of the matrix.
"""

from __future__ import annotations

from typing import Any

import pytest

from fakes import FakeBackend, call, created
from magic_hour_client.api.v1_ai_image_generator.create_ai_image import request
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.submit import submit
from magic_hour_workflows.errors import SubmissionUnknown

NAME = "v1.ai_image_generator.create"


@pytest.mark.parametrize("id", [{"unexpected": True}, "", None, 7])
def test_an_id_that_is_none_leaves_the_submission_unknown(id: Any) -> None:
    backend = FakeBackend().script(NAME, created(id))
    with pytest.raises(SubmissionUnknown, match="my job"):
        run_sync(submit(call(backend), request(image_count=1, style={"prompt": "x"}, name="my job")))
    assert backend.names() == [NAME]


def test_a_cancellation_whose_reply_has_no_usable_id_carries_the_doubt() -> None:
    cancelled: Any = KeyboardInterrupt()
    cancelled.result = created({"unexpected": True})
    backend = FakeBackend().script(NAME, cancelled)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_sync(submit(call(backend), request(image_count=1, style={"prompt": "x"}, name="my job")))
    assert isinstance(vars(caught.value)["submission_unknown"], SubmissionUnknown)
    assert not hasattr(caught.value, "project_id")
