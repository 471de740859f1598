//! Conversions: what every reply must have, what must survive, and what a hostile peer may send.

use std::time::{Duration, SystemTime};

use linchpin_engine::{Error, Shape};
use linchpin_model::{
    Auth, Connection, ErrorKind, JsonObject, Lease, Operation, RawBody, Request, Response, Secret,
    WrapRequest,
};

use super::*;

fn object(text: &str) -> JsonObject {
    JsonObject::from_text(text.to_owned()).unwrap()
}

fn from_plugin(data: &str) -> Answer {
    let response = pb::Response {
        data: data.to_owned(),
        ..pb::Response::default()
    };
    answer_from_wire(Some(response), None).unwrap()
}

#[test]
fn a_request_survives_the_wire() {
    let request = Request {
        id: "id".into(),
        operation: Some(Operation::Patch),
        path: "a/b".to_owned(),
        data: Some(object(r#"{"n":12345678901234567890123,"f":1.10}"#)),
        client_token: "hash".to_owned(),
        headers: vec![("X-A".to_owned(), vec!["1".to_owned(), "2".to_owned()])],
        connection: Some(Connection {
            remote_addr: "10.0.0.1".to_owned(),
            remote_port: 65535,
        }),
        wrap: Some(WrapRequest {
            ttl: Duration::from_secs(60),
            format: "jwt".to_owned(),
        }),
        secret: Some(Secret {
            lease: Lease {
                ttl: Duration::from_secs(5),
                issue_time: Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(7_000_000_001)),
                ..Lease::default()
            },
            internal_data: Some(object(r#"{"secret_type":"x"}"#)),
        }),
        auth: Some(Auth {
            alias_name: "me".to_owned(),
            ..Auth::default()
        }),
        ..Request::default()
    };
    let back = request_from_wire(request_to_wire(&request)).unwrap();
    assert_eq!(back.data, request.data, "every digit");
    assert_eq!(back.headers, request.headers);
    assert_eq!(back.connection, request.connection);
    assert_eq!(back.wrap, request.wrap);
    assert_eq!(back.secret, request.secret);
    assert_eq!(back.auth, request.auth);
    assert_eq!(back.operation, request.operation);
}

#[test]
fn json_fields_and_times_are_never_missing() {
    let wire = request_to_wire(&Request {
        secret: Some(Secret::default()),
        auth: Some(Auth::default()),
        ..Request::default()
    });
    assert_eq!(wire.data, "null");
    let secret = wire.secret.unwrap();
    assert_eq!(secret.internal_data, "null");
    assert_eq!(
        secret.lease_options.unwrap().issue_time.unwrap().seconds,
        -62_135_596_800
    );
    let auth = wire.auth.unwrap();
    assert_eq!(auth.internal_data, "null");
    assert!(auth.lease_options.unwrap().issue_time.is_some());
    let (response, _) = answer_to_wire(Ok(Some(Response {
        wrap: Some(WrapRequest::default()),
        ..Response::default()
    })));
    let response = response.unwrap();
    assert_eq!(response.data, "null");
    assert!(response.wrap_info.unwrap().creation_time.is_some());
}

#[test]
fn an_unknown_operation_is_none() {
    let wire = pb::Request {
        operation: "recover".to_owned(),
        ..pb::Request::default()
    };
    assert_eq!(request_from_wire(wire).unwrap().operation, None);
}

#[test]
fn data_that_is_no_object_is_refused_without_being_repeated() {
    let wire = pb::Request {
        data: "[\"hunter2\"]".to_owned(),
        ..pb::Request::default()
    };
    let error = request_from_wire(wire).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn h27_every_error_class_has_its_kind_and_its_sentinel() {
    let check = |number, code, kind, text: &str| {
        let wire = pb::ProtoError {
            err_type: number,
            err_msg: "own text".to_owned(),
            err_code: code,
        };
        let error = Error::from(PluginError::from_wire(wire));
        assert_eq!(error.kind(), kind, "{number}");
        assert_eq!(error.messages(), [text], "{number}");
    };
    check(0, 0, ErrorKind::Internal, "own text");
    check(1, 0, ErrorKind::Internal, "own text");
    check(2, 0, ErrorKind::Internal, "own text");
    check(3, 418, ErrorKind::Coded(418), "own text");
    check(3, 7, ErrorKind::Internal, "own text");
    check(4, 0, ErrorKind::InvalidRequest, "own text");
    check(
        5,
        0,
        ErrorKind::UnsupportedOperation,
        "unsupported operation",
    );
    check(6, 0, ErrorKind::NotFound, "unsupported path");
    check(7, 0, ErrorKind::InvalidRequest, "invalid request");
    check(8, 0, ErrorKind::PermissionDenied, "permission denied");
    check(9, 0, ErrorKind::Internal, "request needs further approval");
    check(10, 0, ErrorKind::Internal, "unrecoverable error");
    check(11, 0, ErrorKind::Internal, "own text");
}

#[test]
fn some_texts_mean_a_status() {
    let kind = |text: &str| {
        Error::from(PluginError::from_wire(pb::ProtoError {
            err_msg: text.to_owned(),
            ..pb::ProtoError::default()
        }))
        .kind()
    };
    assert_eq!(kind("invalid credentials"), ErrorKind::InvalidRequest);
    assert_eq!(kind("upstream rate limited"), ErrorKind::Upstream);
    assert_eq!(kind("lease count quota exceeded"), ErrorKind::RateLimited);
    assert_eq!(kind("http: request body too large"), ErrorKind::TooLarge);
    assert_eq!(
        kind("required index state not present"),
        ErrorKind::Coded(412)
    );
    assert_eq!(kind("invalid credentials, sorry"), ErrorKind::Internal);
}

#[test]
fn an_error_response_is_a_plain_400() {
    let error = Error::from(from_plugin(r#"{"error":"no"}"#).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.rendered(), ["no"]);
    assert!(from_plugin(r#"{"error":"no","more":1}"#).is_ok());
    assert!(from_plugin(r#"{"error":null}"#).is_ok());
}

#[test]
fn an_error_beside_a_response_shows_the_text_of_the_response() {
    let response = pb::Response {
        data: r#"{"error":"shown"}"#.to_owned(),
        ..pb::Response::default()
    };
    let error = pb::ProtoError {
        err_type: 8,
        ..pb::ProtoError::default()
    };
    let error = answer_from_wire(Some(response.clone()), Some(error)).unwrap();
    let error = Error::from(error.unwrap_err());
    assert_eq!(error.rendered(), ["shown"]);
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let unknown = answer_from_wire(Some(response), Some(pb::ProtoError::default())).unwrap();
    assert_eq!(
        Error::from(unknown.unwrap_err()).kind(),
        ErrorKind::InvalidRequest
    );
}

#[test]
fn h28_raw_responses_are_recognised() {
    let raw = |data: &str| from_plugin(data).unwrap().unwrap().raw.unwrap();
    let text = raw(
        r#"{"http_status_code":200,"http_content_type":"text/plain","http_raw_body":"not base64!"}"#,
    );
    assert_eq!((text.status, &text.body[..]), (200, &b"not base64!"[..]));
    let bytes = raw(
        r#"{"http_status_code":200.0,"http_content_type":"x","http_raw_body":"aGk=","http_raw_pragma":"p"}"#,
    );
    assert_eq!((&bytes.body[..], bytes.pragma.as_str()), (&b"hi"[..], "p"));
    let none = raw(r#"{"http_status_code":204}"#);
    assert!(none.body.is_empty());
}

#[test]
fn h28_raw_responses_that_cannot_be_sent_are_errors() {
    for data in [
        r#"{"http_status_code":200,"http_raw_body":"x"}"#,
        r#"{"http_status_code":"200","http_content_type":"x"}"#,
        r#"{"http_status_code":7,"http_content_type":"x"}"#,
        r#"{"http_status_code":200,"http_content_type":"x","http_raw_body":7}"#,
    ] {
        let response = pb::Response {
            data: data.to_owned(),
            ..pb::Response::default()
        };
        assert!(answer_from_wire(Some(response), None).is_err(), "{data}");
    }
}

#[test]
fn a_raw_response_of_ours_reads_back() {
    let raw = RawBody {
        status: 201,
        content_type: "text/plain".to_owned(),
        body: "aGk=".into(),
        cache_control: "no".to_owned(),
        pragma: String::new(),
        www_authenticate: String::new(),
    };
    let (response, error) = answer_to_wire(Ok(Some(Response {
        raw: Some(raw.clone()),
        ..Response::default()
    })));
    let answer = answer_from_wire(response, error).unwrap().unwrap().unwrap();
    assert_eq!(
        answer.raw,
        Some(raw),
        "text that looks like base64 is not decoded twice"
    );
}

#[test]
fn our_errors_keep_their_kind_across_the_wire() {
    for error in [
        Error::unsupported_operation(),
        Error::unsupported_path(),
        Error::permission_denied(),
        Error::refused("x"),
        Error::internal("x"),
        Error::new(ErrorKind::Coded(418), Shape::Wrapped, vec!["x".to_owned()]),
    ] {
        let kind = error.kind();
        let (response, wire) = answer_to_wire(Err(error));
        assert!(wire.as_ref().unwrap().err_type <= 10);
        let back = answer_from_wire(response, wire).unwrap().unwrap_err();
        assert_eq!(Error::from(back).kind(), kind);
    }
}

#[test]
fn an_absent_response_is_not_an_empty_one() {
    assert!(answer_from_wire(None, None).unwrap().unwrap().is_none());
    assert!(from_plugin("null").unwrap().is_some());
}
