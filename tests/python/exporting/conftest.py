import pytest
from threadpoolctl import threadpool_limits

from exporting.pool import Exportable, make


@pytest.fixture(scope="session")
def exportable(tmp_path_factory: pytest.TempPathFactory) -> Exportable:
    with threadpool_limits(limits=1, user_api="blas"):
        return make(tmp_path_factory.mktemp("ours"))
