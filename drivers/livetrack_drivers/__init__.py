"""Camera drivers, registered as entry points `livetrack.cameras`, as anybody's driver would be."""
