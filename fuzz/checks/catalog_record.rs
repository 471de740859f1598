//! What must hold for any bytes in the place of a catalog entry or a pin (storage-format §8).
//!
//! Shared by the fuzz target and the test that replays its corpus.

use std::fmt::Debug;

use linchpin_formats::{Pin, PluginRecord, Record};
use linchpin_model::PluginType;

/// Checks one input; whether it is an entry that is used.
pub(crate) fn check(data: &[u8]) -> bool {
    // A compressed record is bounded by a test of its own; here it would fill the time.
    if data.first() == Some(&b'G') && data.len() > 512 {
        return false;
    }
    record::<Pin>(data);
    if let Ok(pin) = Pin::decode(data) {
        for plugin_type in PluginType::ALL {
            if let Some(version) = pin.version_for(plugin_type, &pin.name) {
                let ours = Pin::new(plugin_type, &pin.name, &version);
                let again = Pin::decode(&ours.encode()).expect("our own pin");
                assert_eq!(again.version_for(plugin_type, &pin.name), Some(version));
            }
        }
    }
    record::<PluginRecord>(data);
    let Ok(record) = PluginRecord::decode(data) else {
        return false;
    };
    let Ok(entry) = record.to_entry() else {
        return false;
    };
    let ours = PluginRecord::from_entry(&entry);
    let again = PluginRecord::decode(&ours.encode()).expect("our own record");
    assert_eq!(
        again.to_entry(),
        Ok(entry),
        "an entry survives being stored"
    );
    true
}

fn record<T: Record + PartialEq + Debug>(data: &[u8]) {
    let Ok(record) = T::decode(data) else {
        return;
    };
    let written = record.encode();
    let again = T::decode(&written).expect("what we write can be read");
    assert_eq!(again, record, "nothing is lost");
    assert_eq!(again.encode(), written, "written twice it is the same");
}
