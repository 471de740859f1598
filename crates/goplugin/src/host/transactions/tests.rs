use super::*;

use linchpin_engine::{BoxFuture, Page, StorageEntry};
use tokio_util::sync::CancellationToken;

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// A storage whose transactions hold nothing.
struct Empty;

impl StorageView for Empty {
    fn get<'a>(&'a self, _: &'a Context, _: &'a str) -> Answer<'a, Option<StorageEntry>> {
        Box::pin(async { Ok(None) })
    }

    fn list<'a>(&'a self, _: &'a Context, _: &'a str, _: Page) -> Answer<'a, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn put<'a>(&'a self, _: &'a Context, _: StorageEntry) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, _: &'a Context, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn begin<'a>(&'a self, _: &'a Context, _: Access) -> Answer<'a, Box<dyn Transaction>> {
        Box::pin(async {
            // As a real storage does, so that others get their turn in the middle of a begin.
            tokio::task::yield_now().await;
            Ok(Box::new(Empty) as Box<dyn Transaction>)
        })
    }
}

impl Transaction for Empty {
    fn get<'a>(&'a mut self, _: &'a str) -> Answer<'a, Option<StorageEntry>> {
        Box::pin(async { Ok(None) })
    }

    fn list<'a>(&'a mut self, _: &'a str, _: Page) -> Answer<'a, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn put<'a>(&'a mut self, _: StorageEntry) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a mut self, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn table() -> (Transactions, Tasks, Context) {
    let stop = CancellationToken::new();
    let tasks = Tasks::new(stop.clone());
    let transactions = Transactions::new(Arc::new(Empty), tasks.clone());
    (transactions, tasks, Context::internal(stop))
}

#[tokio::test]
async fn ten_thousand_transactions_leave_one_task() {
    let (transactions, tasks, ctx) = table();
    for _ in 0..10_000 {
        let id = transactions
            .begin(&ctx, 1, Access::ReadWrite)
            .await
            .unwrap();
        transactions
            .take(&id)
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
    }
    assert_eq!(tasks.tracker().len(), 1);
    tasks.finish().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_open_is_rolled_back_when_it_is_too_old_and_no_other() {
    let (transactions, tasks, ctx) = table();
    let first = transactions
        .begin(&ctx, 1, Access::ReadWrite)
        .await
        .unwrap();
    tokio::time::sleep(MAX_AGE / 2).await;
    let second = transactions
        .begin(&ctx, 1, Access::ReadWrite)
        .await
        .unwrap();
    tokio::time::sleep(MAX_AGE / 2 - Duration::from_secs(1)).await;
    assert!(transactions.find(&first).is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(transactions.find(&first).is_err());
    assert!(transactions.find(&second).is_ok());
    tokio::time::sleep(MAX_AGE).await;
    assert!(transactions.find(&second).is_err());
    // With nothing left the sweeper has ended, and the next transaction has one again.
    assert!(tasks.tracker().is_empty());
    let third = transactions
        .begin(&ctx, 1, Access::ReadWrite)
        .await
        .unwrap();
    tokio::time::sleep(MAX_AGE + Duration::from_secs(1)).await;
    assert!(transactions.find(&third).is_err());
}

#[tokio::test]
async fn never_more_than_the_limit_are_open_even_when_all_begin_at_once() {
    let (transactions, tasks, ctx) = table();
    let all = (0..MAX_OPEN + 50).map(|_| transactions.begin(&ctx, 1, Access::ReadOnly));
    let begun = futures_util::future::join_all(all).await;
    let (open, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!((open.len(), refused.len()), (MAX_OPEN, 50));
    let one = open.into_iter().next().unwrap().unwrap();
    transactions.take(&one).await.unwrap();
    transactions.begin(&ctx, 1, Access::ReadOnly).await.unwrap();
    transactions.end_of(1);
    assert_eq!(transactions.room.available_permits(), MAX_OPEN);
    tasks.finish().await;
}
