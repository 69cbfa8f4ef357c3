"""Configuration groups, lights and autofocus by command, on the real MMCore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from live_engine import running

from livetrack.client import Remote
from livetrack.devices.microscope import AutofocusState, ConfigGroup, LightState, MicroscopeState
from livetrack.errors import CommandError
from livetrack.session.engine import Engine

SETTINGS = [
    "camera.driver=micromanager",
    "localizer.model=centroid",
    "calibration.file=''",
    "focus.limits={ z = [-100, 100] }",
]
TURRET = ("Objective", "Label")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running(SETTINGS) as engine:
        yield engine


@pytest.fixture(scope="module")
def remote(engine: Engine) -> Iterator[Remote]:
    with Remote(engine.command_address, timeout_s=20) as remote:
        yield remote


@pytest.fixture(scope="module")
def core(engine: Engine) -> Any:
    return engine.camera.core  # type: ignore[attr-defined]


def group_of(remote: Remote, name: str) -> ConfigGroup:
    return next(group for group in remote.microscope().groups if group.name == name)


def test_groups_are_listed_with_the_preset_in_force(remote: Remote, core: Any) -> None:
    groups = {group.name: group for group in remote.microscope().groups}
    assert set(groups) == set(core.get_available_config_groups())
    assert groups["Objective"] == ConfigGroup(name="Objective", presets=("10X", "20X", "40X"), current="10X")
    core.set_property(*TURRET, "Nikon 20X Plan Fluor ELWD")  # by hand
    assert group_of(remote, "Objective").current == "20X"
    core.set_property(*TURRET, "Objective-2")
    assert group_of(remote, "Objective").current == ""


def test_a_preset_is_applied_and_the_geometry_follows_at_once(remote: Remote, core: Any) -> None:
    remote.set_preset("Objective", "10X")
    before = remote.hello()
    assert remote.set_preset("Objective", "40X").current == "40X"
    after = remote.hello()
    assert core.get_property(*TURRET) == "Nikon 40X Plan Fluor ELWD"
    assert (after.geometry.pixel_size_um, after.geometry_number) == (0.25, before.geometry_number + 1)
    assert remote.set_preset("Channel", "FITC").current == "FITC"
    assert core.get_current_config("Channel") == "FITC"
    assert remote.hello().geometry_number == after.geometry_number


def test_a_preset_of_the_camera_changes_the_image(remote: Remote, core: Any) -> None:
    """`LowRes` of the demo configuration bins 4 x 4."""
    remote.set_preset("Objective", "10X")
    remote.set_preset("Camera", "HighRes")
    before = remote.hello()
    assert remote.set_preset("Camera", "LowRes").current == "LowRes"
    after = remote.hello()
    binning = int(core.get_property("Camera", "Binning"))
    assert binning > 1
    assert (after.geometry.binning, after.geometry.width) == (binning, before.geometry.width // binning)
    assert after.settings["driver_settings"]["binning"] == binning
    received = remote.state().received
    while remote.state().received < received + 5:  # it runs
        assert remote.state().state == "running"
    remote.set_preset("Camera", "HighRes")
    assert remote.hello().geometry == before.geometry


def test_shutters_are_opened_and_closed(remote: Remote, core: Any) -> None:
    lights = remote.microscope().lights
    assert [light.name for light in lights] == ["White Light Shutter", "LED Shutter"]
    assert lights[0].auto
    assert remote.set_light(False, auto=False) == LightState(name="White Light Shutter", open=False)
    assert (core.get_shutter_open("White Light Shutter"), core.get_auto_shutter()) == (False, False)
    assert remote.set_light(True, name="LED Shutter") == LightState(name="LED Shutter", open=True)
    assert core.get_shutter_open("LED Shutter")
    assert not core.get_shutter_open("White Light Shutter")
    assert remote.set_light(auto=True, name="LED Shutter").auto
    assert core.get_shutter_device() == "LED Shutter"
    remote.set_light(True, name="White Light Shutter", auto=True)
    assert remote.microscope().lights[0] == LightState(name="White Light Shutter", open=True, auto=True)


def test_the_autofocus_holds_and_searches(remote: Remote, core: Any) -> None:
    assert remote.microscope().autofocus == AutofocusState(name="Autofocus", continuous=False, locked=False, offset=0.0)
    assert remote.set_autofocus(True, offset=2.5).continuous
    assert core.is_continuous_focus_enabled()
    assert core.get_auto_focus_offset() == 2.5
    assert not remote.set_autofocus(False).continuous
    assert remote.focus_once().offset == 2.5
    with pytest.raises(CommandError, match="offset cannot be nan"):
        remote.set_autofocus(offset=float("nan"))


def test_after_a_halt_the_autofocus_moves_nothing(remote: Remote, core: Any) -> None:
    remote.set_autofocus(True)
    remote.halt()
    assert not core.is_continuous_focus_enabled()
    for call in (lambda: remote.set_autofocus(True), remote.focus_once):
        with pytest.raises(CommandError, match="halted"):
            call()
    assert not core.is_continuous_focus_enabled()
    assert not remote.set_autofocus(False).continuous
    remote.allow_moves()
    assert remote.focus_once().name == "Autofocus"


def test_while_the_camera_is_stopped_the_autofocus_moves_nothing(remote: Remote) -> None:
    remote.set_autofocus(True)
    remote.stop()
    try:
        for call in (lambda: remote.set_autofocus(True), remote.focus_once):
            with pytest.raises(CommandError, match="the camera is stopped: start it first"):
                call()
        assert not remote.set_autofocus(False).continuous
    finally:
        remote.start()


@pytest.mark.parametrize(
    ("group", "preset", "message"),
    [
        ("Objectif", "10X", "no configuration group is called 'Objectif': there are .*Objective"),
        ("Objective", "63X", "group 'Objective' has no preset '63X': it has 10X, 20X, 40X"),
    ],
)
def test_unknown_presets_are_rejected(remote: Remote, group: str, preset: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        remote.set_preset(group, preset)


def test_a_preset_that_cannot_be_set_changes_nothing(remote: Remote, core: Any) -> None:
    remote.set_preset("Objective", "10X")
    core.define_config("Objective", "impossible", *TURRET, "Nikon 40X Plan Fluor ELWD")
    core.define_config("Objective", "impossible", "Camera", "Binning", "3")
    with pytest.raises(CommandError, match=r"'Camera\.Binning' cannot be '3'"):
        remote.set_preset("Objective", "impossible")
    core.delete_config("Objective", "impossible")
    core.define_config("Objective", "other", *TURRET, "Nikon 40X Plan Fluor ELWD")
    core.define_config("Objective", "other", "Core", "Camera", "")
    with pytest.raises(CommandError, match=r"'Core\.Camera' cannot be set in a session"):
        remote.set_preset("Objective", "other")
    core.delete_config("Objective", "other")
    assert group_of(remote, "Objective").current == "10X"


def test_a_preset_moves_no_actuator_beyond_its_limits_or_after_a_halt(remote: Remote, core: Any) -> None:
    core.define_config("Channel", "far", "Z", "Position", "200")
    core.define_config("Channel", "near", "Z", "Position", "3")
    with pytest.raises(CommandError, match=r"focus\.limits"):
        remote.set_preset("Channel", "far")
    remote.halt()
    with pytest.raises(CommandError, match="halted"):
        remote.set_preset("Channel", "near")
    assert core.get_position("Z") == 0.0
    remote.allow_moves()
    remote.set_preset("Channel", "near")
    assert core.get_position("Z") == pytest.approx(3.0)
    for preset in ("far", "near"):
        core.delete_config("Channel", preset)


def test_unknown_lights_are_rejected(remote: Remote) -> None:
    with pytest.raises(CommandError, match="no shutter is called 'Sun': there are White Light Shutter, LED Shutter"):
        remote.set_light(True, name="Sun")


def test_a_driver_without_a_microscope_has_none() -> None:
    with running(["camera.driver=simulated"]) as engine, Remote(engine.command_address, timeout_s=20) as remote:
        assert remote.microscope() == MicroscopeState()
        for call, message in (
            (lambda: remote.set_preset("Channel", "DAPI"), "has no configuration groups"),
            (lambda: remote.set_light(True), "has no lights"),
            (lambda: remote.focus_once(), "has no autofocus"),
        ):
            with pytest.raises(CommandError, match=message):
                call()
