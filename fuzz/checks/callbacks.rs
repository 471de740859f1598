//! What must hold for anything that a plugin asks over the socket of its instance: storage, transactions, the node (plugin-protocol
//! §3.4 to §3.6).
//!
//! The input is a list of calls, each a byte for the method, a byte for the length, and that many bytes of protobuf. With the high
//! bit of the method, the message names the transaction that was begun last. Shared by the fuzz target and the test that replays
//! its corpus.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Full};
use linchpin_engine::{
    Access, BoxFuture, ClusterInfo, Context, Error, Page, PluginEnvironment, StorageEntry,
    StorageError, StorageView, SystemView, Transaction,
};
use linchpin_goplugin::host::fuzzing::Socket;
use linchpin_goplugin::proto::pb;
use linchpin_storage::Key;
use prost::Message;

const STORAGE: [&str; 10] = [
    "Put",
    "Get",
    "List",
    "Delete",
    "BeginTx",
    "BeginReadOnlyTx",
    "Commit",
    "Rollback",
    "ListPage",
    "IsTransactional",
];
const SYSTEM: [&str; 18] = [
    "DefaultLeaseTTL",
    "MaxLeaseTTL",
    "Tainted",
    "CachingDisabled",
    "ReplicationState",
    "ResponseWrapData",
    "MlockEnabled",
    "LocalMount",
    "EntityInfo",
    "PluginEnv",
    "GroupsForEntity",
    "GeneratePasswordFromPolicy",
    "ClusterInfo",
    "GenerateIdentityToken",
    "RegisterRotationJob",
    "DeregisterRotationJob",
    "GetRotationInformation",
    "RegisterRotationJobWithResponse",
];
/// No plugin may have more transactions open.
const MAX_OPEN: usize = 256;
/// More calls than fill the table of transactions.
const MAX_CALLS: usize = 300;

/// Checks one input; whether something was stored.
pub(crate) fn check(data: &[u8]) -> bool {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(session(data)))
}

async fn session(mut data: &[u8]) -> bool {
    let entries = Entries::default();
    let store = Store(Arc::clone(&entries));
    let mut socket = Socket::new(Arc::new(store), Arc::new(Node));
    let mut last = String::new();
    let mut begun = 0;
    for _ in 0..MAX_CALLS {
        let &[method, length, ref rest @ ..] = data else {
            break;
        };
        let (message, rest) = rest.split_at(rest.len().min(length.into()));
        data = rest;
        let number = usize::from(method & 0x7f) % (STORAGE.len() + SYSTEM.len() + 3);
        let message = if method & 0x80 == 0 {
            message.to_vec()
        } else {
            in_transaction(number, message, &last)
        };
        let path = match number {
            0..10 => format!("/pb.Storage/{}", STORAGE[number]),
            10..28 => format!("/pb.SystemView/{}", SYSTEM[number - 10]),
            28 => "/pb.Events/SendEvent".to_owned(),
            29 => "/pb.Observations/RecordObservation".to_owned(),
            _ => "/pb.Nothing/AtAll".to_owned(),
        };
        let before = entries.lock().expect("one thread").clone();
        let reply = call(&mut socket, &path, &message).await;
        let after = entries.lock().expect("one thread").clone();
        match (number, reply) {
            (0, Some(reply)) => put(&message, &reply, &before, &after),
            (1, Some(reply)) => got(&message, &reply, &before),
            (4 | 5, Some(reply)) => {
                let reply = pb::StorageBeginTxReply::decode(reply).expect("a reply");
                assert!(!reply.txn.is_empty() && reply.err.is_empty());
                last = reply.txn;
                begun += 1;
            }
            (9, Some(reply)) => {
                let reply = pb::StorageIsTransactionalReply::decode(reply).expect("a reply");
                assert!(reply.transactional);
            }
            // A Go plugin dies without the message inside.
            (19, Some(reply)) => {
                let reply = pb::PluginEnvReply::decode(reply).expect("a reply");
                assert!(reply.plugin_environment.is_some());
            }
            _ => {}
        }
        if !matches!(number, 0 | 3 | 6) {
            assert_eq!(before, after, "{path} writes nothing");
        }
    }
    let open = socket.end();
    assert!(open <= begun && open <= MAX_OPEN, "{open} of {begun}");
    let entries = entries.lock().expect("one thread");
    assert!(
        entries
            .keys()
            .all(|key| Key::new(key.as_str()).check().is_ok())
    );
    !entries.is_empty()
}

/// One call; the message of its reply, or `None` for a status that is not OK.
async fn call(socket: &mut Socket, path: &str, message: &[u8]) -> Option<Bytes> {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("it is short"));
    frame.put_slice(message);
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(frame.freeze()))
        .expect("a request");
    // Nothing here waits for anything; what does has lost its way.
    let answered = async {
        let (head, body) = socket.call(request).await.into_parts();
        let body = body.collect().await.expect("a whole answer");
        (head, body)
    };
    let answered = tokio::time::timeout(Duration::from_secs(5), answered).await;
    let (head, body) = answered.expect("every call is answered at once");
    assert_eq!(head.status, 200, "gRPC has its own status");
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = head
        .headers
        .get("grpc-status")
        .or_else(|| trailers.get("grpc-status"));
    let status: u8 = status
        .and_then(|s| s.to_str().ok()?.parse().ok())
        .expect("a status");
    assert!(status <= 16);
    let bytes = body.to_bytes();
    // Twice what was asked with, a listing, or a fixed answer.
    assert!(bytes.len() <= 64 * 1024, "{} bytes", bytes.len());
    (status == 0).then(|| bytes.slice(5..))
}

fn put(message: &[u8], reply: &Bytes, before: &Map, after: &Map) {
    let args = pb::StoragePutArgs::decode(message).expect("it was answered");
    let reply = pb::StoragePutReply::decode(reply.clone()).expect("a reply");
    let entry = args.entry.expect("it was answered");
    if !args.txn.is_empty() || !reply.err.is_empty() {
        assert_eq!(before, after);
        return;
    }
    let mut expected = before.clone();
    expected.insert(entry.key, (entry.value, entry.seal_wrap));
    assert_eq!(*after, expected, "the entry and nothing else");
}

fn got(message: &[u8], reply: &Bytes, stored: &Map) {
    let args = pb::StorageGetArgs::decode(message).expect("it was answered");
    let reply = pb::StorageGetReply::decode(reply.clone()).expect("a reply");
    if args.txn.is_empty() {
        let found = reply.entry.map(|entry| {
            assert_eq!(entry.key, args.key);
            (entry.value, entry.seal_wrap)
        });
        assert_eq!(found.as_ref(), stored.get(&args.key));
    }
}

/// The message with `txn` for its transaction, if it is one that has the field.
fn in_transaction(number: usize, message: &[u8], txn: &str) -> Vec<u8> {
    fn named<M: Message + Default>(message: &[u8], name: impl FnOnce(&mut M)) -> Vec<u8> {
        M::decode(message).map_or_else(
            |_| message.to_vec(),
            |mut decoded| {
                name(&mut decoded);
                decoded.encode_to_vec()
            },
        )
    }
    let txn = txn.to_owned();
    match number {
        0 => named::<pb::StoragePutArgs>(message, |args| args.txn = txn),
        1 => named::<pb::StorageGetArgs>(message, |args| args.txn = txn),
        2 => named::<pb::StorageListArgs>(message, |args| args.txn = txn),
        3 => named::<pb::StorageDeleteArgs>(message, |args| args.txn = txn),
        6 => named::<pb::StorageCommitTxArgs>(message, |args| args.txn = txn),
        7 => named::<pb::StorageRollbackTxArgs>(message, |args| args.txn = txn),
        8 => named::<pb::StorageListPageArgs>(message, |args| args.txn = txn),
        _ => message.to_vec(),
    }
}

type Map = BTreeMap<String, (Bytes, bool)>;
type Entries = Arc<Mutex<Map>>;

/// A mount's storage: a map that takes the keys that the real one takes.
struct Store(Entries);

fn storable(key: &str) -> Result<(), StorageError> {
    let refused = |_| StorageError::Key(key.to_owned(), "not a key");
    Key::new(key).check().map_err(refused)
}

fn found(map: &Map, key: &str) -> Option<StorageEntry> {
    map.get(key).map(|(value, seal_wrap)| StorageEntry {
        key: key.to_owned(),
        value: value.clone(),
        seal_wrap: *seal_wrap,
    })
}

fn listed(map: &Map, prefix: &str, page: &Page) -> Vec<String> {
    let below = map.keys().filter_map(|key| key.strip_prefix(prefix));
    let mut names: Vec<String> = below
        .map(|name| match name.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => name.to_owned(),
        })
        .filter(|name| *name > page.after)
        .collect();
    names.dedup();
    if page.limit > 0 {
        names.truncate(page.limit);
    }
    names
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl StorageView for Store {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        ready(Ok(found(&self.0.lock().expect("one thread"), key)))
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        ready(Ok(listed(
            &self.0.lock().expect("one thread"),
            prefix,
            &page,
        )))
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        ready(storable(&entry.key).map(|()| {
            let mut map = self.0.lock().expect("one thread");
            map.insert(entry.key, (entry.value, entry.seal_wrap));
        }))
    }

    fn delete<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.lock().expect("one thread").remove(key);
        ready(Ok(()))
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        let work = self.0.lock().expect("one thread").clone();
        let pending = Pending {
            base: Arc::clone(&self.0),
            work,
            access,
        };
        ready(Ok(Box::new(pending) as Box<dyn Transaction>))
    }
}

struct Pending {
    base: Entries,
    work: Map,
    access: Access,
}

impl Pending {
    fn writable(&self) -> Result<(), StorageError> {
        match self.access {
            Access::ReadOnly => Err(StorageError::ReadOnly),
            Access::ReadWrite => Ok(()),
        }
    }
}

impl Transaction for Pending {
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        ready(Ok(found(&self.work, key)))
    }

    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        ready(Ok(listed(&self.work, prefix, &page)))
    }

    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        let allowed = self.writable().and_then(|()| storable(&entry.key));
        ready(allowed.map(|()| {
            self.work.insert(entry.key, (entry.value, entry.seal_wrap));
        }))
    }

    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        ready(self.writable().map(|()| {
            self.work.remove(key);
        }))
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        *self.base.lock().expect("one thread") = self.work;
        ready(Ok(()))
    }
}

/// A node with fixed answers.
struct Node;

impl SystemView for Node {
    fn default_lease_ttl(&self) -> Duration {
        Duration::MAX
    }

    fn max_lease_ttl(&self) -> Duration {
        Duration::ZERO
    }

    fn tainted(&self) -> bool {
        true
    }

    fn caching_disabled(&self) -> bool {
        false
    }

    fn local_mount(&self) -> bool {
        true
    }

    fn plugin_environment(&self) -> PluginEnvironment {
        PluginEnvironment::default()
    }

    fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo::default()
    }

    fn generate_password<'a>(
        &'a self,
        _: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        ready(Ok(format!("password by {policy}")))
    }
}
