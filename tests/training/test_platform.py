"""A platform without devices is an error in words, before any work."""

import jax
import pytest

import nar
from nar.training import Devices
from nar.training.devices import check_platform


@pytest.fixture(
    params=[
        AssertionError(),
        RuntimeError("Unable to initialize backend 'tpu': no libtpu (set JAX_PLATFORMS='')"),
    ]
)
def no_devices(monkeypatch, request):
    """jax as it behaves where its platform has no devices."""

    def fail(*_):
        raise request.param

    for name in ("devices", "local_devices", "process_count", "process_index"):
        monkeypatch.setattr(jax, name, fail)


@pytest.mark.usefixtures("no_devices")
def test_platform_without_devices_is_an_error_before_work(tmp_path):
    for work in (
        check_platform,
        Devices.one,
        Devices.all,
        lambda: nar.train(nar.RunConfig(), tmp_path / "run"),
    ):
        with pytest.raises(ValueError, match="jax has no device of JAX_PLATFORMS="):
            work()
    assert not (tmp_path / "run").exists()


def test_platform_with_devices_is_accepted():
    check_platform()
