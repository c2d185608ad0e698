"""Contract 4 for the variants, which share the families' programs: see `test_resume`.

What a checkpoint must hold is seen by programs that are compiled quickly. Their roundings depend on
the chunk's length, so that it stays the same here.
"""

import pytest

from tests.contracts import recipes
from tests.contracts.resuming import check_resumed, trained_and_killed

pytestmark = pytest.mark.slow
# They take a minute to compile, and what their states hold others have as well.
BY_NAME = ("wgan_gp+resnet+projection", "r3gan+r3gan+auxiliary")


@pytest.fixture(params=recipes.marked(recipes.variants(), by_name=BY_NAME))
def name(request):
    """Every variant."""
    return request.param


@pytest.fixture(scope="module")
def killed(tmp_path_factory, folder, request):
    """Where the variants were trained by a process that was killed."""
    workdirs = tmp_path_factory.mktemp("killed")
    trained_and_killed(workdirs, folder, recipes.selected(request))
    return workdirs


def test_killed_and_resumed_run_equals_uninterrupted(name, killed, folder, tmp_path, caplog):
    check_resumed(name, killed, folder, tmp_path, caplog, chunk=1)
