"""Tables of tracks, one row per localisation, in livetrack's own layout or in those of other programs.

    with TrackTable("tracks.csv") as table:
        for index, image in enumerate(movie):
            table.append(index, tracker.update(image))

The suffix selects the file format: `.csv`, `.parquet`, `.feather`, or `.xml`, which is for TrackMate. A further file
format is one entry in `livetrack.table.files.FORMATS`, a further layout one in `livetrack.table.layouts.LAYOUTS`.
`livetrack.record.tables` writes the tables of recordings in the same formats and layouts.
"""

from livetrack.table.columns import COLUMNS
from livetrack.table.images import Images
from livetrack.table.track_table import TrackTable

__all__ = ["COLUMNS", "Images", "TrackTable"]
