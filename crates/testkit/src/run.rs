//! How a test function becomes tests, one for each server it runs against.

use std::future::Future;
use std::io::Write;

use crate::{Fixture, Product};

/// Makes a test of each named `async fn(Product)`: those under `both` run against Linchpin and against OpenBao, those under `linchpin`
/// against Linchpin alone, those under `inspected` against Linchpin built so that its store can be read. A function that is in no list is
/// dead code, and the compiler says so.
#[macro_export]
macro_rules! cases {
    (
        $(both: $($both:ident),+ $(,)?;)?
        $(linchpin: $($ours:ident),+ $(,)?;)?
        $(inspected: $($inspected:ident),+ $(,)?;)?
    ) => {
        mod linchpin {
            $($(#[test] fn $both() { $crate::run($crate::Product::Linchpin, super::$both) })+)?
            $($(#[test] fn $ours() { $crate::run($crate::Product::Linchpin, super::$ours) })+)?
        }
        $(mod inspected {
            $(#[test] fn $inspected() { $crate::run($crate::Product::Mutant, super::$inspected) })+
        })?
        $(mod openbao {
            $(#[test] fn $both() { $crate::run($crate::Product::OpenBao, super::$both) })+
        })?
    };
}

/// Runs a test on a runtime of its own. A server whose executable is missing skips the test by name.
pub fn run<F: Future<Output = ()>>(product: Product, test: impl FnOnce(Product) -> F) {
    if let Err(missing) = product.executable() {
        return skip(missing);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(test(product));
}

/// Says that the current test is skipped for want of `fixture`, and what would bring it. With `CI=true` that is a failure.
pub fn skip(fixture: Fixture) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    let line = format!("skipped {name}: {}", fixture.remedy());
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{line}"
    );
    // Past the capture of the test runner, which would swallow it.
    drop(writeln!(std::io::stderr(), "{line}"));
}
