//! Path tables.
