//! The plugin's side of the wire.
