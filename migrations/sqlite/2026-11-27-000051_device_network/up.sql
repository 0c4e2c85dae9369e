-- Of whose devices there are too many is known by the app and the network that they asked from.
ALTER TABLE device_codes ADD COLUMN network TEXT NOT NULL DEFAULT '';
