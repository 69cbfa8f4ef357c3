"""Records sessions to disk, off the tracking loop, and reads them.

Each recording is a folder:

    2025-01-31_14-05-09/
        session.json        settings, start and, once closed, end and counts
        frames_0000.tif ... BigTIFF, one page per frame, with its number, times and geometry as JSON
        frames.arrow        one row per received frame, including dropped ones
        tracked.arrow       one row per tracked frame, including those without particles
        trajectories.arrow  one row per particle and tracked frame
        trajectories.csv    and .parquet, .xml: the same for other programs, written at the end
        recording.lock      held by the recorder, with its counts twice a second; deleted at the end
        events.jsonl        one line per event: what else happened, and when
        model/              the models that were in use, each with its card

The Arrow files are streams and the TIFFs grow page by page. Each batch and each page has a CRC-32 checksum: what a kill
or a power cut has torn, or anything has altered, is left out by `read_session` and listed by `Session.damage`.
`read_session` reads recordings, complete or truncated:

    session = read_session("2025-01-31_14-05-09")
    tracks = session.trajectories()  # a pyarrow Table; `.to_pandas()` makes it a DataFrame
    for frame in session.frames():
        frame.pixels  # (H, W); also frame.index, frame.t_s, frame.geometry
    for event in session.events("setting"):
        event["t_ns"], event["name"], event["value"]

An event has `t_ns`, on the clock of `t_received_ns` in the tables, `wall_ns`, since 1970-01-01 UTC, and a `kind`:

    begin       the session's number and state, the target, and the stored calibrations of this camera's actuators
    setting     the `name` of a setting whose value changed, its `value` and the one `before`
    model       a model from now on: name, runtime, `sha256`, `file` and `card` in the folder
    geometry    of a `frame` and all later ones: `number` and `geometry`, as in the TIFF pages
    command     of a client: `command`, `arguments`, and its `result` or `error`
    properties  of the camera, `microscope` of what is around it: each time that a client has read other ones;
                and at the start, what a client had read last, at `read_ns`
    camera      the `state` of the session
    target      the `particle` that is the target
    log         a line of the log
    clock       both clocks, read at once: at the start, once a minute and at the end

Frames that were not tracked are in `frames.arrow` and in the TIFF files as well, but not in `tracked.arrow`: the column
`frame` joins the tables. Each frame has its times by the camera and by the computer, which relates the two clocks.
"""

from livetrack.record.damage import Damage
from livetrack.record.event_log import EventLog
from livetrack.record.recorder import Recorder
from livetrack.record.session import Session, read_session

__all__ = ["Damage", "EventLog", "Recorder", "Session", "read_session"]
