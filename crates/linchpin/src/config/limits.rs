//! What bounds one request (design §3, "Limits"). At top level, or in a listener as Vault has them.

use std::time::Duration;

use super::Error;
use super::section::Section;

/// The limits; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `max_request_size`: a request's body.
    pub(crate) max_request_size: usize,
    /// `max_request_duration`.
    pub(crate) max_request_duration: Duration,
    /// `max_header_size`: all headers of a request together.
    pub(crate) max_header_size: usize,
    /// `max_json_depth`, in levels.
    pub(crate) max_json_depth: usize,
    /// `max_json_string_value_length`; bodies of kv and plugins have only the body's limit.
    pub(crate) max_json_string: usize,
    /// `max_storage_value_size`.
    pub(crate) max_storage_value: usize,
    /// `max_storage_key_length`.
    pub(crate) max_storage_key: usize,
    /// `max_wrapped_response_size`.
    pub(crate) max_wrapped_response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            max_request_size: 32 * MIB,
            max_request_duration: Duration::from_secs(90),
            max_header_size: MIB,
            max_json_depth: 300,
            max_json_string: MIB,
            max_storage_value: 32 * MIB,
            max_storage_key: 2_600,
            max_wrapped_response: 512 * KIB,
        }
    }
}

impl Limits {
    pub(super) fn read(&mut self, section: &mut Section<'_>) -> Result<(), Error> {
        section.size("max_request_size", &mut self.max_request_size)?;
        // Vault's name for it at top level.
        section.duration(
            "default_max_request_duration",
            &mut self.max_request_duration,
        )?;
        section.duration("max_request_duration", &mut self.max_request_duration)?;
        section.size("max_header_size", &mut self.max_header_size)?;
        section.count("max_json_depth", &mut self.max_json_depth)?;
        section.size("max_json_string_value_length", &mut self.max_json_string)?;
        section.size("max_storage_value_size", &mut self.max_storage_value)?;
        section.size("max_storage_key_length", &mut self.max_storage_key)?;
        section.size("max_wrapped_response_size", &mut self.max_wrapped_response)
    }
}
