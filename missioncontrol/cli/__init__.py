"""The `missioncontrol` command."""
