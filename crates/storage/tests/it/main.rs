//! Every store against the contract of `Storage`, and the memory store against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use linchpin_storage::conformance::conformance;
use linchpin_storage::failing::{FailingStore, Fault};
use linchpin_storage::{Batch, Error, Key, MemoryStore, Page, Prefix, Snapshot, Storage};
use proptest::prelude::*;

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    conformance(async || MemoryStore::new()).await.unwrap();
}

#[tokio::test]
async fn a_failing_store_without_a_plan_keeps_the_contract() {
    conformance(async || FailingStore::new(MemoryStore::new()))
        .await
        .unwrap();
}

fn put(key: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Key::new(key), "v");
    batch
}

#[tokio::test]
async fn a_failing_store_fails_at_the_chosen_commit_only() {
    let check = async |fault, written: bool| {
        let store = FailingStore::new(MemoryStore::new());
        store.commit(put("a")).await.unwrap();
        store.fail_commit(2, fault);
        store.commit(put("b")).await.unwrap();
        let error = store.commit(put("c")).await.unwrap_err();
        assert!(matches!(error, Error::Store(_)) && !error.wrote_nothing());
        store.commit(put("d")).await.unwrap();
        assert_eq!(store.commits(), 4);
        assert_eq!(
            store.get(&Key::new("c")).await.unwrap().is_some(),
            written,
            "{fault:?}"
        );
        assert_eq!(store.dump().await.unwrap().len(), 3 + usize::from(written));
    };
    check(Fault::Refused, false).await;
    check(Fault::AnswerLost, true).await;
}

#[tokio::test]
async fn a_dump_is_everything_in_order() {
    let store = MemoryStore::new();
    for key in ["b", "a/", "a", "a/x"] {
        store.commit(put(key)).await.unwrap();
    }
    let keys: Vec<String> = store
        .dump()
        .await
        .unwrap()
        .into_iter()
        .map(|(key, _)| key.as_str().to_owned())
        .collect();
    assert_eq!(keys, ["a", "a/", "a/x", "b"]);
}

/// The definition of a listing, word by word, without a thought for cost.
fn naive(entries: &BTreeMap<String, Bytes>, prefix: &str, page: &Page) -> Vec<String> {
    let names: BTreeSet<String> = entries
        .keys()
        .filter_map(|key| key.strip_prefix(prefix))
        .filter(|rest| !rest.is_empty())
        .map(|rest| match rest.split_once('/') {
            Some((segment, _)) => format!("{segment}/"),
            None => rest.to_owned(),
        })
        .filter(|name| *name > page.after)
        .collect();
    let limit = page.limit.map_or(usize::MAX, std::num::NonZero::get);
    names.into_iter().take(limit).collect()
}

proptest! {
    #[test]
    fn listings_are_those_of_the_definition(
        keys in proptest::collection::btree_set("[a.0/]{1,6}", 0..30),
        prefix in "([a.0/]{0,3}/)?",
        after in "[a.0/]{0,3}",
        limit in 0_usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            let mut model = BTreeMap::new();
            for key in keys.iter().filter(|key| !key.starts_with('/')) {
                store.commit(put(key)).await.unwrap();
                model.insert(key.clone(), Bytes::from("v"));
            }
            let page = Page::new(after, limit);
            let listed = store.list(&Prefix::new(&prefix), page.clone()).await.unwrap().names;
            prop_assert_eq!(listed, naive(&model, &prefix, &page));
            Ok(())
        })?;
    }
}
