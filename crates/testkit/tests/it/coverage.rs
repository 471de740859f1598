//! Whether every case that must be tested has a test: the sources of this folder are read and the names of their tests compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The cases of plugin-lifecycle §12 that exist today, as ranges, both ends included.
const REQUIRED: &[(u32, u32)] = &[
    (1, 36),
    (38, 50),
    (52, 52),
    (55, 56),
    (58, 59),
    (61, 63),
    (65, 68),
    (70, 75),
    (77, 78),
    (82, 84),
    (86, 86),
    (90, 91),
    (93, 95),
    (97, 97),
];

/// Tests that have a name of their own, and the case that each is.
const NAMED: &[(&str, Option<u32>)] = &[
    ("setup_that_read_stale_config_is_repeated", Some(82)),
    ("old_writer_never_overwrites_newer_value", Some(84)),
    ("reload_of_200_mounts_ends_with_one_process", Some(90)),
    ("request_outlives_its_client", None),
    ("keys_match_storage_format", None),
    ("reload_under_load", None),
    ("reload_under_load_goes_red_without_the_gate", None),
    ("kill_under_load_costs_at_most_what_was_in_flight", None),
    ("a_crash_loop_is_retried_with_growing_pauses", None),
    ("idle_plugins_outlive_the_blocking_pool", None),
    ("openbaos_command_line_works_unchanged", None),
];

#[test]
fn every_required_case_has_a_test() {
    let tests = tests();
    let case_of = |name: &String| {
        let number = name.strip_prefix("case_")?.split('_').next()?;
        number.parse::<u32>().ok()
    };
    let mut covered: BTreeSet<u32> = tests.iter().filter_map(case_of).collect();
    for (name, case) in NAMED {
        assert!(tests.contains(*name), "there is no test {name}");
        covered.extend(case);
    }
    let required = REQUIRED.iter().flat_map(|(first, last)| *first..=*last);
    let missing: Vec<u32> = required.filter(|case| !covered.contains(case)).collect();
    assert!(missing.is_empty(), "cases without a test: {missing:?}");
    assert!(covered.iter().all(|case| (1..=97).contains(case)));
}

/// The names of the test functions: those in a list of `cases!`, and those with an attribute.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let lists = text.split("cases! {").skip(1);
        for list in lists.filter_map(|rest| rest.split_once('}')) {
            let names = list.0.split(|c: char| !c.is_alphanumeric() && c != '_');
            found.extend(names.map(String::from));
        }
        let attributed = text.split("#[test]\nfn ").skip(1);
        found.extend(attributed.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
    }
    found
}
