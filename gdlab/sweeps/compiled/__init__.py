"""The compiled programs of a sweep: the state of lanes, one step of a lane, many steps of all."""
