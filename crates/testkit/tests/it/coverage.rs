//! Whether everything that must be tested has a test: the sources of the workspace are read and the names of their tests compared.
//!
//! A test `case_43_…` is that case of plugin-lifecycle §12, `better_04_…` that item of §11, `h05_…` and `p07_…` are checks of
//! plugin-protocol §8. What belongs to a later part of the product is listed with its subject, so that nothing is silently missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A list of numbered things that must have a test each.
struct Wanted {
    /// What its tests begin with.
    prefix: &'static str,
    /// How many there are.
    last: u32,
    /// Those that wait for something that this product does not have yet, and for what.
    later: &'static [(&'static [u32], &'static str)],
}

const WANTED: [Wanted; 4] = [
    Wanted {
        prefix: "case_",
        last: 97,
        later: &[
            (&[37, 51, 76], "seal and unseal, a restart with data"),
            (&[53, 54, 57, 60], "auth methods"),
            (&[64, 85, 88], "leases"),
            (&[69], "database plugins"),
            (&[79, 80, 89], "policies and audit devices"),
        ],
    },
    Wanted {
        prefix: "better_",
        last: 22,
        later: &[
            (&[20], "container plugins"),
            (&[21], "a cluster of several nodes"),
        ],
    },
    Wanted {
        prefix: "h",
        last: 61,
        later: &[(&[30, 53], "leases"), (&[46, 47], "database plugins")],
    },
    Wanted {
        prefix: "p",
        last: 19,
        later: &[(&[19], "database plugins")],
    },
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
    let mut missing = Vec::new();
    for wanted in &WANTED {
        let mut covered: BTreeSet<u32> = tests.iter().filter_map(|t| number(t, wanted)).collect();
        if wanted.prefix == "case_" {
            for (name, case) in NAMED {
                assert!(tests.contains(*name), "there is no test {name}");
                covered.extend(case);
            }
        }
        let later = wanted.later.iter().flat_map(|(numbers, _)| *numbers);
        let later: BTreeSet<u32> = later.copied().collect();
        let needed = (1..=wanted.last).filter(|n| !later.contains(n) && !covered.contains(n));
        missing.extend(needed.map(|n| format!("{}{n:02}", wanted.prefix)));
        let unknown: Vec<&u32> = covered.range(wanted.last + 1..).collect();
        assert!(unknown.is_empty(), "no such {}: {unknown:?}", wanted.prefix);
    }
    assert!(missing.is_empty(), "without a test: {missing:?}");
}

/// The number of a test that begins with the prefix, two digits and `_`.
fn number(test: &str, wanted: &Wanted) -> Option<u32> {
    let (digits, _) = test.strip_prefix(wanted.prefix)?.split_once('_')?;
    digits.parse().ok().filter(|_| digits.len() == 2)
}

/// The names of the test functions of the workspace: those in a list of `cases!`, and those with an attribute.
fn tests() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeSet::new();
    read_folder(&crates, &mut found);
    found
}

fn read_folder(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names(&fs::read_to_string(path).unwrap(), found);
        }
    }
}

fn names(text: &str, found: &mut BTreeSet<String>) {
    let lists = text.split("cases! {").skip(1);
    for list in lists.filter_map(|rest| rest.split_once('}')) {
        let names = list.0.split(|c: char| !c.is_alphanumeric() && c != '_');
        found.extend(names.map(String::from));
    }
    for attributed in text.split("test").skip(1) {
        // `#[test]`, `#[tokio::test]`, `#[tokio::test(…)]`, with other attributes after it.
        let Some((attributes, rest)) = attributed.split_once("fn ") else {
            continue;
        };
        let only_attributes = attributes.starts_with([']', '('])
            && attributes.lines().skip(1).all(|line| {
                let line = line.trim();
                line.is_empty()
                    || line == "async"
                    || line.starts_with("#[")
                    || line.starts_with("//")
            });
        if only_attributes {
            found.extend(rest.split_once(['(', '<']).map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn tests_are_found_by_their_attributes() {
    let mut found = BTreeSet::new();
    let text = "#[test]\nfn a() {}\n#[tokio::test(start_paused = true)]\nasync fn b() {}\n#[test]\n#[cfg(unix)]\nfn c() {}\n\
                fn d_helper() {}\nmod test { fn e() {} }\n";
    names(text, &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}
