//! The tests of protections, against a server that has the protection switched off: each must go red, or it proves nothing.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use linchpin_testkit::{Product, Settings, run};

use crate::fault_matrix::{self, HANGS, PANICS, small_matrix};
use crate::reload::{failed_initialize, old_writer, stale_setup};

#[test]
fn an_old_writer_without_the_fence_is_noticed() {
    goes_red("fence-off", old_writer);
}

#[test]
fn writes_of_a_failed_initialize_without_the_overlay_are_noticed() {
    goes_red("overlay-off", |product, settings| {
        failed_initialize(product, settings.with_store_dump())
    });
}

#[test]
fn a_stale_setup_that_is_not_repeated_is_noticed() {
    goes_red("setup-once", stale_setup);
}

#[test]
fn a_catalog_that_is_locked_across_a_start_is_noticed() {
    let matrix = |product, settings| small_matrix(product, settings, &[HANGS]);
    goes_green(fault_matrix::settings(), matrix);
    let said = red("lock-held", fault_matrix::settings(), matrix);
    // The watch says which calls waited: those that write the catalog.
    let waited = ["to register took", "to pin took", "to deregister took"];
    expect_one_of(said, &waited);
}

#[test]
fn what_is_left_behind_is_noticed() {
    let matrix = |product, settings| small_matrix(product, settings, &[PANICS]);
    goes_green(fault_matrix::settings(), matrix);
    for (fault, kept) in [
        ("no-cleanup", "process tp"),
        ("descriptor-left", "descriptor /dev"),
        ("file-left", "temporary file"),
    ] {
        let said = red(fault, fault_matrix::settings(), matrix);
        expect_one_of(said, &[&format!("\"{kept}")]);
    }
}

/// What was red is red for this reason and no other.
#[track_caller]
fn expect_one_of(said: Option<String>, reasons: &[&str]) {
    let Some(said) = said else { return };
    let is_said = reasons.iter().any(|reason| said.contains(reason));
    assert!(is_said, "red for another reason: {said}");
}

/// Runs `test` against a server with `fault`, and fails if it passes.
fn goes_red<F: Future<Output = ()>>(fault: &str, test: impl Fn(Product, Settings) -> F) {
    goes_green(Settings::default(), &test);
    // What it says differs from run to run.
    drop(red(fault, Settings::default(), test));
}

/// Without a fault: what is red then is not red because of one.
fn goes_green<F: Future<Output = ()>>(settings: Settings, test: impl Fn(Product, Settings) -> F) {
    run(Product::Mutant, |product| test(product, settings));
}

/// What the test said when it failed; `None` when there is no mutant to run it against.
fn red<F: Future<Output = ()>>(
    fault: &str,
    settings: Settings,
    test: impl Fn(Product, Settings) -> F,
) -> Option<String> {
    let mut was_run = false;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run(Product::Mutant, |product| {
            was_run = true;
            test(product, settings.env("LINCHPIN_FAULT", fault))
        });
    }));
    let Err(payload) = outcome else {
        assert!(!was_run, "with {fault} nothing was noticed");
        return None;
    };
    let said = payload.downcast_ref::<String>();
    Some(said.cloned().unwrap_or_default())
}
