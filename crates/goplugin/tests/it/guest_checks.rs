//! Checks of plugin-protocol §8 that need to see the messages themselves, or a host that offers less than ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use linchpin_engine::{Access, Error, Page, StorageEntry};
use linchpin_goplugin::guest::HostError;
use linchpin_goplugin::host::Setup as HostSetup;
use linchpin_goplugin::proto::health::HealthCheckRequest;
use linchpin_goplugin::proto::health::health_client::HealthClient;
use linchpin_goplugin::proto::logical;
use linchpin_goplugin::proto::logical::plugin_version_client::PluginVersionClient;
use linchpin_goplugin::proto::multiplexing::MultiplexingSupportRequest;
use linchpin_goplugin::proto::multiplexing::plugin_multiplexing_client::PluginMultiplexingClient;
use linchpin_goplugin::proto::pb;
use linchpin_model::{Auth, JsonObject, Lease, Operation, Response, Secret, WrapRequest};
use tokio::sync::Barrier;
use tonic::Code;
use tonic::codegen::http::uri::PathAndQuery;

use crate::guest_host::{BareHost, Handler, with_id};
use crate::pair::{Pair, request, setup};
use crate::store::Store;

/// Answers what was sent.
const ECHO: Handler = |_, _, request| {
    Box::pin(async move {
        let data = request.data.unwrap_or_default();
        Ok(Some(Response::data(data).with_warning(request.path)))
    })
};

#[tokio::test]
async fn p04_health_of_the_service_plugin_is_serving() {
    let host = BareHost::start(true, ECHO).await;
    let mut health = HealthClient::new(host.channel.clone());
    for service in ["plugin", ""] {
        let asked = HealthCheckRequest {
            service: service.to_owned(),
        };
        let reply = health.check(asked).await.unwrap().into_inner();
        assert_eq!(reply.status, 1, "{service:?}");
    }
}

#[tokio::test]
async fn p06_a_multiplexed_backend_refuses_calls_without_an_id() {
    let host = BareHost::start(true, ECHO).await;
    let mut multiplexing = PluginMultiplexingClient::new(host.channel.clone());
    let asked = MultiplexingSupportRequest {};
    let reply = multiplexing.multiplexing_support(asked).await.unwrap();
    assert!(reply.into_inner().supported);
    let text = |status: tonic::Status| (status.code(), status.message().to_owned());
    let missing = (Code::Unknown, "no multiplexing ID found".to_owned());
    assert_eq!(text(host.setup(None).await.unwrap_err()), missing);
    assert_eq!(host.setup(Some("a")).await.unwrap().err, "");
    let mut backend = host.backend();
    let refusals = [
        backend.r#type(pb::Empty {}).await.unwrap_err(),
        backend.special_paths(pb::Empty {}).await.unwrap_err(),
        backend.initialize(pb::InitializeArgs {}).await.unwrap_err(),
        backend.cleanup(pb::Empty {}).await.unwrap_err(),
        host.ask(None, "read", "x").await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(text(refusal), missing);
    }
    let refused = host.ask(Some(""), "read", "x").await.unwrap_err();
    assert_eq!(
        text(refused),
        (Code::Unknown, "empty multiplex ID in metadata".to_owned())
    );
    assert!(host.ask(Some("a"), "read", "x").await.is_ok());
}

#[tokio::test]
async fn p06_one_that_is_not_multiplexed_takes_calls_with_and_without_an_id() {
    let host = BareHost::start(false, ECHO).await;
    let mut multiplexing = PluginMultiplexingClient::new(host.channel.clone());
    let asked = MultiplexingSupportRequest {};
    let refused = multiplexing.multiplexing_support(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    for id in [None, Some("one"), Some("two")] {
        assert_eq!(host.setup(id).await.unwrap().err, "");
        let mut backend = host.backend();
        let kind = backend.r#type(with_id(id, pb::Empty {})).await.unwrap();
        assert_eq!(kind.into_inner().r#type, 1);
        let paths = backend.special_paths(with_id(id, pb::Empty {})).await;
        assert_eq!(paths.unwrap().into_inner().paths.unwrap().root, ["config"]);
        let mut version = PluginVersionClient::new(host.channel.clone());
        let version = version.version(with_id(id, logical::Empty {})).await;
        assert_eq!(version.unwrap().into_inner().plugin_version, "v1.2.3");
        let done = backend
            .initialize(with_id(id, pb::InitializeArgs {}))
            .await
            .unwrap();
        assert_eq!(done.into_inner().err, None);
        assert!(host.ask(id, "read", "x").await.unwrap().err.is_none());
        for _ in 0..2 {
            backend.cleanup(with_id(id, pb::Empty {})).await.unwrap();
        }
    }
}

#[tokio::test]
async fn p07_an_unknown_id_is_an_error_and_the_process_goes_on() {
    let host = BareHost::start(true, ECHO).await;
    host.setup(Some("a")).await.unwrap();
    let refused = host.ask(Some("b"), "read", "x").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unknown, "no backend instance found")
    );
    let mut backend = host.backend();
    let refused = backend.r#type(with_id(Some("b"), pb::Empty {})).await;
    assert_eq!(refused.unwrap_err().message(), "no backend instance found");
    // A host may clean up what is gone already.
    backend
        .cleanup(with_id(Some("b"), pb::Empty {}))
        .await
        .unwrap();
    assert!(host.ask(Some("a"), "read", "x").await.is_ok());
}

/// An internal error (§6), whatever the call; an error of the engine's own text has no class.
#[tokio::test]
async fn p10_a_panic_is_an_internal_error_and_the_process_goes_on() {
    let host = BareHost::start(true, |_, _, request| {
        Box::pin(async move {
            assert_ne!(request.path, "panic");
            Err(Error::internal("as told"))
        })
    })
    .await;
    host.setup(Some("a")).await.unwrap();
    let text = "the plugin panicked while it served the request";
    for (path, class, text) in [("panic", 2, text), ("x", 0, "as told")] {
        let error = host.ask(Some("a"), "read", path).await.unwrap().err;
        let error = error.unwrap();
        assert_eq!((error.err_type, error.err_msg.as_str()), (class, text));
    }
}

/// What a host of Go sends: more digits than we do, in a finer unit.
#[tokio::test]
async fn the_deadline_of_any_host_is_the_handlers() {
    let host = BareHost::start(true, |_, ctx, _| {
        Box::pin(async move {
            let left = ctx.deadline.map(|at| at - tokio::time::Instant::now());
            Ok(Some(Response::warning(format!("{left:?}"))))
        })
    })
    .await;
    host.setup(Some("a")).await.unwrap();
    let args = pb::HandleRequestArgs {
        request: Some(pb::Request {
            operation: "read".to_owned(),
            path: "x".to_owned(),
            data: "null".to_owned(),
            ..pb::Request::default()
        }),
        ..pb::HandleRequestArgs::default()
    };
    let mut message = with_id(Some("a"), args);
    let metadata = message.metadata_mut();
    metadata.insert("grpc-timeout", "89999950u".parse().unwrap());
    let answer = host.backend().handle_request(message).await;
    let answer = answer.unwrap().into_inner();
    let told = answer.response.unwrap().warnings.remove(0);
    assert!(told.starts_with("Some(8"), "{told}");
}

/// Go peers fail on an empty JSON field and on a lease or a wrapping without its time.
#[tokio::test]
async fn p11_every_reply_has_valid_json_and_its_times() {
    let host = BareHost::start(true, |_, _, request| {
        Box::pin(async move {
            Ok(match request.path.as_str() {
                "nothing" => None,
                "empty" => Some(Response::default()),
                "secret" => Some(Response {
                    secret: Some(Secret::default()),
                    ..Response::default()
                }),
                "timed" => Some(Response {
                    secret: Some(Secret {
                        lease: Lease {
                            issue_time: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5)),
                            ..Lease::default()
                        },
                        internal_data: Some(JsonObject::empty()),
                    }),
                    ..Response::default()
                }),
                "login" => Some(Response {
                    auth: Some(Auth::default()),
                    ..Response::default()
                }),
                "wrapped" => Some(Response {
                    wrap: Some(WrapRequest::default()),
                    ..Response::default()
                }),
                _ => return Err(Error::refused("no")),
            })
        })
    })
    .await;
    host.setup(Some("a")).await.unwrap();
    let zero = -62_135_596_800;
    for (path, seconds) in [
        ("nothing", None),
        ("empty", None),
        ("secret", Some(zero)),
        ("timed", Some(5)),
        ("login", Some(zero)),
        ("wrapped", Some(zero)),
        ("error", None),
    ] {
        let reply = host.ask(Some("a"), "read", path).await.unwrap();
        assert!(reply.err.is_none_or(|error| error.err_type <= 10), "{path}");
        let Some(response) = reply.response else {
            assert!(matches!(path, "nothing" | "error"), "{path}");
            continue;
        };
        let mut texts = vec![response.data];
        let mut times = Vec::new();
        if let Some(secret) = response.secret {
            texts.push(secret.internal_data);
            times.push(secret.lease_options.unwrap().issue_time.unwrap().seconds);
        }
        if let Some(auth) = response.auth {
            texts.push(auth.internal_data);
            times.push(auth.lease_options.unwrap().issue_time.unwrap().seconds);
        }
        if let Some(wrap) = response.wrap_info {
            times.push(wrap.creation_time.unwrap().seconds);
        }
        for text in texts {
            assert!(text == "null" || text.starts_with('{'), "{path}: {text:?}");
        }
        assert_eq!(times.first().copied(), seconds, "{path}");
    }
}

/// Vault has neither pages nor transactions, and the bare host not even a system view.
#[tokio::test]
async fn p12_a_host_with_four_storage_calls_and_nothing_else_is_enough() {
    let host = BareHost::start(true, |setup, ctx, _| {
        Box::pin(async move {
            let entry = |key: &str| StorageEntry {
                key: key.to_owned(),
                value: "v".into(),
                seal_wrap: false,
            };
            let storage = &setup.storage;
            storage.put(&ctx, entry("a")).await?;
            let mut tx = storage.begin(&ctx, Access::ReadWrite).await?;
            tx.put(entry("b")).await?;
            tx.put(entry("c")).await?;
            tx.delete("a").await?;
            assert!(storage.get(&ctx, "b").await?.is_none());
            assert_eq!(tx.list("", Page::default()).await?, ["b", "c"]);
            tx.commit().await?;
            let page = Page {
                after: "b".to_owned(),
                limit: 1,
            };
            assert_eq!(storage.list(&ctx, "", page).await?, ["c"]);
            assert_eq!(setup.system.default_lease_ttl(), Duration::ZERO);
            setup.system.generate_password(&ctx, "p").await.unwrap_err();
            // Neither events nor observations (§3.6), nor anything else.
            let (host, none) = (&setup.host, BTreeMap::new());
            let missing = [
                host.lease_ttls(&ctx).await.err(),
                host.environment(&ctx).await.err(),
                host.entity(&ctx, "e").await.err(),
                host.groups(&ctx, "e").await.err(),
                host.generate_password(&ctx, "p").await.err(),
                host.wrap(&ctx, &JsonObject::empty(), Duration::ZERO)
                    .await
                    .err(),
                host.identity_token(&ctx, "a", Duration::ZERO).await.err(),
                host.send_event(&ctx, "t", &none).await.err(),
                host.record_observation(&ctx, "t", &none).await.err(),
            ];
            assert_eq!(missing, [const { Some(HostError::Unsupported) }; 9]);
            Ok(Some(Response::warning("done")))
        })
    })
    .await;
    assert_eq!(host.setup(Some("a")).await.unwrap().err, "");
    let reply = host.ask(Some("a"), "read", "x").await.unwrap();
    assert_eq!(reply.err, None);
    assert_eq!(reply.response.unwrap().warnings, ["done"]);
}

/// Every request waits for all others: one that were served after another would wait for ever.
#[tokio::test]
async fn p15_requests_of_one_and_of_several_instances_run_side_by_side() {
    let all = Arc::new(Barrier::new(8));
    let waiting = Arc::clone(&all);
    let pair = Pair::new(move |_, _, _| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.wait().await;
            Ok(None)
        }
    })
    .await;
    let storage: Arc<Store> = Arc::default();
    let mount = || -> HostSetup { setup(&storage) };
    let one = pair.host.setup(mount()).await.unwrap();
    let two = pair.host.setup(mount()).await.unwrap();
    let asked = request(Operation::Read, "x");
    let calls = [&one, &one, &one, &one, &two, &two, &two, &two]
        .map(|instance| instance.handle_request(None, &asked));
    for outcome in futures_util::future::join_all(calls).await {
        assert!(outcome.unwrap().is_none());
    }
}

/// A general error here would fail every request of a mount under OpenBao 2.7.
#[tokio::test]
async fn p16_words_that_nobody_knows_are_unsupported_operations() {
    let host = BareHost::start(true, ECHO).await;
    host.setup(Some("a")).await.unwrap();
    for word in ["resolve-path", "recover", "rotate", "no-such-operation", ""] {
        let reply = host.ask(Some("a"), word, "x").await.unwrap();
        let error = reply.err.unwrap();
        assert!(matches!(error.err_type, 5 | 6), "{word}: {error:?}");
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct NewerArgs {
    #[prost(message, optional, tag = "2")]
    request: Option<NewerRequest>,
    #[prost(string, tag = "77")]
    unknown: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NewerRequest {
    #[prost(string, tag = "3")]
    operation: String,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    data: String,
    #[prost(string, tag = "21")]
    requires_snapshot_id: String,
    #[prost(string, tag = "22")]
    recover_source_path: String,
    #[prost(message, optional, tag = "23")]
    rotation_info: Option<RotationInfo>,
    #[prost(bytes = "vec", tag = "99")]
    unknown: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RotationInfo {
    #[prost(string, tag = "1")]
    rotation_id: String,
    #[prost(int64, tag = "2")]
    next: i64,
}

#[tokio::test]
async fn p18_fields_and_metadata_of_newer_hosts_are_ignored() {
    let host = BareHost::start(true, ECHO).await;
    host.setup(Some("a")).await.unwrap();
    let args = NewerArgs {
        request: Some(NewerRequest {
            operation: "read".to_owned(),
            path: "x".to_owned(),
            data: r#"{"n":9007199254740993}"#.to_owned(),
            requires_snapshot_id: "s".to_owned(),
            recover_source_path: "p".to_owned(),
            rotation_info: Some(RotationInfo {
                rotation_id: "r".to_owned(),
                next: 1,
            }),
            unknown: vec![0xff; 100],
        }),
        unknown: "u".to_owned(),
    };
    let mut message = with_id(Some("a"), args);
    for (key, value) in [
        ("snapshot_id", "s"),
        ("index_state_cluster_id", ""),
        ("index_state_local", "0"),
        ("index_state_replicated", "0"),
        ("x-later", "y"),
    ] {
        message.metadata_mut().insert(key, value.parse().unwrap());
    }
    let mut client = tonic::client::Grpc::new(host.channel.clone());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<NewerArgs, pb::HandleRequestReply>::default();
    let path = PathAndQuery::from_static("/pb.Backend/HandleRequest");
    let reply = client.unary(message, path, codec).await.unwrap();
    let reply = reply.into_inner();
    assert_eq!(reply.err, None);
    let response = reply.response.unwrap();
    assert_eq!(response.data, r#"{"n":9007199254740993}"#);
    assert_eq!(response.warnings, ["x"]);
}
