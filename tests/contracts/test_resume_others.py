"""Contract 4 for the families and variants that `test_resume` leaves out.

What a checkpoint must hold is seen by programs that are compiled quickly. Their roundings depend on
the chunk's length, so that it stays the same here.
"""

import pytest

from tests.contracts import recipes
from tests.contracts.resuming import check_resumed
from tests.contracts.test_resume import CHOSEN

pytestmark = pytest.mark.slow
# They take a minute to compile, and what their states hold others have as well.
BY_NAME = ("wgan_gp+resnet+projection", "r3gan+r3gan+auxiliary")
OTHERS = [name for name in recipes.names() if name not in CHOSEN]


@pytest.fixture(params=recipes.marked(OTHERS, by_name=BY_NAME))
def name(request):
    """Every recipe and variant but those of `test_resume`."""
    return request.param


def test_killed_and_resumed_run_equals_uninterrupted(name, killed, folder, tmp_path, caplog):
    check_resumed(name, killed, folder, tmp_path, caplog, chunk=1)
