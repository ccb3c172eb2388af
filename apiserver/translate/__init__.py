"""Pure translation between what users see (missioncontrol.io) and what is stored."""
