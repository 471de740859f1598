//! The tests of a reload's protections, against a server that has the protection switched off: each must go red, or it proves nothing.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use linchpin_testkit::{Product, Settings, run};

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

/// Runs `test` against a server with `fault`, and fails if it passes.
fn goes_red<F: Future<Output = ()>>(fault: &str, test: impl Fn(Product, Settings) -> F) {
    // First without the fault: what is red then is not red because of it.
    run(Product::Mutant, |product| {
        test(product, Settings::default())
    });
    let mut was_run = false;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run(Product::Mutant, |product| {
            was_run = true;
            test(product, Settings::default().env("LINCHPIN_FAULT", fault))
        });
    }));
    assert!(
        !was_run || outcome.is_err(),
        "with {fault} nothing was noticed"
    );
}
