//! Runtimes of container plugins (plugin-lifecycle §6).

use crate::{SECRET, catalog, entry};
use linchpin_catalog::{Catalog, Containers, Facts, Registration, Runtime, Shape};
use linchpin_model::PluginEntry;

fn runtime(name: &str) -> Runtime {
    Runtime {
        name: name.to_owned(),
        ..Runtime::default()
    }
}

/// An entry that refers to a runtime.
fn using(name: &str, version: &str, runtime: &str) -> PluginEntry {
    PluginEntry {
        runtime: runtime.to_owned(),
        ..entry(name, version)
    }
}

fn names(catalog: &Catalog) -> Vec<&str> {
    catalog.runtimes().map(|r| r.name.as_str()).collect()
}

#[test]
fn limits_below_zero_and_no_name_are_refused() {
    let refused = |edit: fn(&mut Runtime)| {
        let mut asked = runtime("sandbox");
        edit(&mut asked);
        let checked = asked.check();
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    };
    assert_eq!(refused(|_| {}), "");
    assert_eq!(
        refused(|r| r.cpu_nanos = -1),
        "runtime cpu in nanos cannot be negative"
    );
    assert_eq!(
        refused(|r| r.memory_bytes = -1),
        "runtime memory in bytes cannot be negative"
    );
    assert_eq!(refused(|r| r.name.clear()), "missing plugin runtime name");
}

/// Case 81.
#[test]
fn a_runtime_that_is_referred_to_stays() {
    let catalog = catalog(&["plain@1.0.0"])
        .with_runtime(runtime("sandbox"))
        .with_runtime(runtime("box"));
    assert_eq!(names(&catalog), ["box", "sandbox"]);
    let missing = catalog.check_runtime_removal("nope").unwrap_err();
    assert_eq!(missing.to_string(), "plugin runtime not found");
    assert_eq!(missing.shape(), Shape::Wrapped);
    assert_eq!(catalog.check_runtime_removal("sandbox"), Ok(()));

    let used = catalog
        .with_entry(using("tp", "1.0.0", "sandbox"))
        .with_entry(using("tp", "1.1.0", "sandbox"))
        .with_entry(using("my-kv", "1.0.0", "sandbox"))
        .with_entry(using("other", "1.0.0", "box"));
    let refused = used.check_runtime_removal("sandbox").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "unable to delete \"sandbox\" runtime. Registered plugins=[my-kv tp] are referencing it."
    );
    assert_eq!(refused.shape(), Shape::Plain);
    assert_eq!(names(&used.without_runtime("box")), ["sandbox"]);
}

/// Row 9 comes before row 19: a runtime must be there before anybody tries to run anything in it.
#[test]
fn a_registration_may_name_a_runtime_that_is_there() {
    let known = ["sandbox".to_owned()];
    let facts = Facts {
        runtimes: &known,
        ..Facts::default()
    };
    let check = |oci_image: &str, runtime: &str, facts: &Facts<'_>| {
        let registration = Registration {
            plugin_type: Some(SECRET),
            name: "tp".to_owned(),
            sha256: "07".repeat(32),
            command: "tp1".to_owned(),
            oci_image: oci_image.to_owned(),
            runtime: runtime.to_owned(),
            ..Registration::default()
        };
        let checked = registration.check(facts);
        checked.map_or_else(|error| error.to_string(), |_| String::new())
    };
    let unknown = "specified plugin runtime \"gone\", but failed to retrieve config: plugin runtime not found";
    assert_eq!(check("", "sandbox", &facts), "");
    assert_eq!(check("", "gone", &facts), unknown);
    assert_eq!(check("image", "gone", &facts), unknown);
    assert!(check("image", "sandbox", &facts).starts_with("unable to run plugin: "));
    let supported = Facts {
        containers: Containers::Supported,
        has_directory: false,
        ..facts
    };
    // It needs no plugin directory.
    assert_eq!(check("image", "sandbox", &supported), "");
}

#[test]
fn many_records_become_one_catalog() {
    let empty = catalog(&[]);
    let pin = catalog(&["tp@1.0.0"])
        .check_pin(SECRET, "tp", "1.0.0")
        .unwrap();
    let entries = [
        entry("tp", "1.1.0"),
        entry("tp", "1.0.0"),
        entry("plain", ""),
    ];
    let all = empty.with_all(entries, [pin.clone()], [runtime("box")]);
    let found: Vec<String> = all
        .entries()
        .map(|e| format!("{}@{}", e.name, e.version_text()))
        .collect();
    assert_eq!(found, ["plain@", "tp@v1.0.0", "tp@v1.1.0"]);
    assert_eq!(all.pins().collect::<Vec<_>>(), [pin]);
    assert_eq!(names(&all), ["box"]);
    assert!(all.builtin(SECRET, "kv").is_some());
}
