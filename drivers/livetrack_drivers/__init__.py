"""The camera drivers of livetrack, registered as entry points `livetrack.cameras` like those of other packages."""
