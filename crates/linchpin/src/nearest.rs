//! The nearest right word for a wrong one, as the command line finds it for flags: here of a setting of the configuration file.

pub(crate) use linchpin_cli::nearest;
