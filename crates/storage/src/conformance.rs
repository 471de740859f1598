//! The contract of [`Storage`] as a test that every store runs: same calls, same answers, on every store.

use std::future::Future;

use bytes::Bytes;

use crate::{Batch, Error, Key, KeyFault, MAX_KEY_LENGTH, MAX_VALUE_LENGTH, Page, Prefix, Storage};

/// Runs every case, each on a new and empty store from `make`.
///
/// # Errors
/// What the store answered when a call of the suite should have succeeded.
///
/// # Panics
/// When an answer is not the one that the contract demands.
pub async fn conformance<S, F>(make: impl Fn() -> F) -> Result<(), Error>
where
    S: Storage,
    F: Future<Output = S>,
{
    values_are_kept(&make().await).await?;
    batches_are_atomic(&make().await).await?;
    later_writes_of_a_batch_win(&make().await).await?;
    preconditions_guard(&make().await).await?;
    change_indexes_grow(&make().await).await?;
    listings_show_children(&make().await).await?;
    pages_cut_listings(&make().await).await?;
    limits_are_kept(&make().await).await?;
    Ok(())
}

fn key(text: &str) -> Key {
    Key::new(text)
}

async fn put(store: &impl Storage, text: &str, value: &'static [u8]) -> Result<(), Error> {
    let mut batch = Batch::new();
    batch.put(key(text), value);
    store.commit(batch).await?;
    Ok(())
}

async fn read(store: &impl Storage, text: &str) -> Result<Option<Bytes>, Error> {
    store.get(&key(text)).await
}

async fn names(store: &impl Storage, prefix: &str, page: Page) -> Result<Vec<String>, Error> {
    Ok(store.list(&Prefix::new(prefix), page).await?.names)
}

async fn values_are_kept(store: &impl Storage) -> Result<(), Error> {
    assert_eq!(read(store, "a/b").await?, None, "absent is not an error");
    put(store, "a/b", b"one").await?;
    put(store, "a/b/", b"a key may end in a slash").await?;
    put(store, "A/b", b"case matters").await?;
    put(store, "empty", b"").await?;
    put(store, "binary", &[0, 255, 10, 0]).await?;
    assert_eq!(read(store, "a/b").await?.as_deref(), Some(&b"one"[..]));
    assert_eq!(
        read(store, "a/b/").await?.as_deref(),
        Some(&b"a key may end in a slash"[..])
    );
    assert_eq!(read(store, "a").await?, None, "a directory is not a key");
    assert_eq!(read(store, "empty").await?.as_deref(), Some(&b""[..]));
    assert_eq!(
        read(store, "binary").await?.as_deref(),
        Some(&[0, 255, 10, 0][..])
    );
    put(store, "a/b", b"two").await?;
    assert_eq!(read(store, "a/b").await?.as_deref(), Some(&b"two"[..]));
    let mut batch = Batch::new();
    batch.delete(key("a/b")).delete(key("was/never/there"));
    store.commit(batch).await?;
    assert_eq!(read(store, "a/b").await?, None);
    assert_eq!(
        read(store, "A/b").await?.as_deref(),
        Some(&b"case matters"[..])
    );
    Ok(())
}

async fn batches_are_atomic(store: &impl Storage) -> Result<(), Error> {
    put(store, "there", b"1").await?;
    let mut batch = Batch::new();
    batch
        .put(key("x"), "1")
        .delete(key("there"))
        .if_absent(key("there"));
    let refused = store.commit(batch).await;
    assert!(matches!(refused, Err(Error::Conflict { key }) if key.as_str() == "there"));
    assert_eq!(read(store, "x").await?, None, "nothing of a refused batch");
    assert_eq!(read(store, "there").await?.as_deref(), Some(&b"1"[..]));
    store.commit(Batch::new()).await?;
    Ok(())
}

async fn later_writes_of_a_batch_win(store: &impl Storage) -> Result<(), Error> {
    let mut batch = Batch::new();
    batch
        .put(key("a"), "1")
        .put(key("a"), "2")
        .put(key("b"), "1")
        .delete(key("b"))
        .delete(key("c"))
        .put(key("c"), "3");
    store.commit(batch).await?;
    assert_eq!(read(store, "a").await?.as_deref(), Some(&b"2"[..]));
    assert_eq!(read(store, "b").await?, None);
    assert_eq!(read(store, "c").await?.as_deref(), Some(&b"3"[..]));
    Ok(())
}

async fn preconditions_guard(store: &impl Storage) -> Result<(), Error> {
    put(store, "k", b"seen").await?;
    let attempt = |prepare: fn(&mut Batch)| {
        let mut batch = Batch::new();
        prepare(&mut batch);
        batch.put(key("target"), "written");
        batch
    };
    /// What is required, and whether it holds.
    type Case = (fn(&mut Batch), bool);
    let cases: [Case; 7] = [
        (
            |b| {
                b.if_equals(key("k"), "seen");
            },
            true,
        ),
        (
            |b| {
                b.if_equals(key("k"), "seem");
            },
            false,
        ),
        (
            |b| {
                b.if_equals(key("k"), "");
            },
            false,
        ),
        (
            |b| {
                b.if_equals(key("nothing"), "");
            },
            false,
        ),
        (
            |b| {
                b.if_absent(key("nothing"));
            },
            true,
        ),
        (
            |b| {
                b.if_absent(key("k"));
            },
            false,
        ),
        (
            |b| {
                b.if_equals(key("k"), "seen").if_absent(key("k"));
            },
            false,
        ),
    ];
    for (number, (prepare, holds)) in cases.into_iter().enumerate() {
        let answer = store.commit(attempt(prepare)).await;
        assert_eq!(answer.is_ok(), holds, "case {number}: {answer:?}");
        let written = read(store, "target").await?.is_some();
        assert_eq!(written, holds, "case {number}");
        let mut reset = Batch::new();
        reset.delete(key("target"));
        store.commit(reset).await?;
    }
    // A precondition speaks of the state before the batch, not of its own writes.
    let mut batch = Batch::new();
    batch
        .put(key("new"), "1")
        .if_absent(key("new"))
        .put(key("k"), "next")
        .if_equals(key("k"), "seen");
    store.commit(batch).await?;
    assert_eq!(read(store, "k").await?.as_deref(), Some(&b"next"[..]));
    Ok(())
}

async fn change_indexes_grow(store: &impl Storage) -> Result<(), Error> {
    let mut last = None;
    for _ in 0..3 {
        let mut batch = Batch::new();
        batch.put(key("k"), "v");
        let index = store.commit(batch).await?;
        assert!(last < Some(index));
        last = Some(index);
    }
    Ok(())
}

async fn listings_show_children(store: &impl Storage) -> Result<(), Error> {
    let keys = [
        "a", "a-b", "a/b", "a/c/d", "a/c/e", "a/c", "a/", "a_b/x", "aXb/y", "b//x", "ä/ö",
        "z/1/2/3",
    ];
    for text in keys {
        put(store, text, b"v").await?;
    }
    // (prefix, its children): sorted bytewise, directories once, a key beside a directory of the same name both.
    let cases: [(&str, &[&str]); 9] = [
        ("", &["a", "a-b", "a/", "aXb/", "a_b/", "b/", "z/", "ä/"]),
        ("a/", &["b", "c", "c/"]),
        ("a/c/", &["d", "e"]),
        ("a_b/", &["x"]),
        ("b/", &["/"]),
        ("b//", &["x"]),
        ("z/1/", &["2/"]),
        ("ä/", &["ö"]),
        ("unknown/", &[]),
    ];
    for (prefix, expected) in cases {
        assert_eq!(
            names(store, prefix, Page::all()).await?,
            expected,
            "{prefix}"
        );
    }
    Ok(())
}

async fn pages_cut_listings(store: &impl Storage) -> Result<(), Error> {
    for text in ["p/a", "p/b", "p/b/x", "p/b/y", "p/c/x", "p/d", "q"] {
        put(store, text, b"v").await?;
    }
    let all = ["a", "b", "b/", "c/", "d"];
    let cases: [(&str, usize, &[&str]); 12] = [
        ("", 0, &all),
        ("", 2, &["a", "b"]),
        ("", 5, &all),
        ("", 100, &all),
        ("a", 0, &["b", "b/", "c/", "d"]),
        ("b", 1, &["b/"]),
        ("b/", 1, &["c/"]),
        ("b/x", 0, &["c/", "d"]),
        ("c", 0, &["c/", "d"]),
        ("c/zzz", 0, &["d"]),
        ("d", 0, &[]),
        ("zzz", 3, &[]),
    ];
    for (after, limit, expected) in cases {
        let page = Page::new(after, limit);
        assert_eq!(names(store, "p/", page).await?, expected, "{after} {limit}");
    }
    // Walking page by page visits each name once.
    let mut walked: Vec<String> = Vec::new();
    loop {
        let after = walked.last().cloned().unwrap_or_default();
        let page = names(store, "p/", Page::new(after, 2)).await?;
        if page.is_empty() {
            break;
        }
        walked.extend(page);
    }
    assert_eq!(walked, all);
    Ok(())
}

async fn limits_are_kept(store: &impl Storage) -> Result<(), Error> {
    let long = "k".repeat(MAX_KEY_LENGTH);
    put(store, &long, b"v").await?;
    assert!(read(store, &long).await?.is_some());
    let too_long = "k".repeat(MAX_KEY_LENGTH + 1);
    let refused = [
        ("", KeyFault::Empty),
        ("/a", KeyFault::LeadingSlash),
        ("a\tb", KeyFault::Unprintable),
        (&too_long, KeyFault::TooLong),
    ];
    for (text, expected) in refused {
        let mut batch = Batch::new();
        batch.put(key("beside"), "v").put(key(text), "v");
        let answer = store.commit(batch).await;
        assert!(
            matches!(&answer, Err(Error::KeyRefused { fault, .. }) if *fault == expected),
            "{text:?}: {answer:?}"
        );
        assert_eq!(read(store, text).await?, None, "reading it is no error");
        assert_eq!(read(store, "beside").await?, None);
    }
    let mut batch = Batch::new();
    batch.put(key("large"), vec![1; MAX_VALUE_LENGTH]);
    store.commit(batch).await?;
    let mut batch = Batch::new();
    batch.put(key("larger"), vec![1; MAX_VALUE_LENGTH + 1]);
    let answer = store.commit(batch).await;
    assert!(matches!(answer, Err(Error::ValueTooLarge { .. })));
    assert_eq!(
        read(store, "large").await?.map(|value| value.len()),
        Some(MAX_VALUE_LENGTH)
    );
    Ok(())
}
