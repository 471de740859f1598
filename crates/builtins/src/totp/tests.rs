use super::*;
use crate::memory::{Memory, ask, shown};
use linchpin_engine::path::TableBackend;
use std::time::Duration;

/// 2026-11-24 09:46:40: the 40th second of a minute.
const NOW: u64 = 1_795_513_600;

fn backend() -> (TableBackend<Totp>, Memory) {
    let memory = Memory::default();
    let engine = Totp {
        clock: || UNIX_EPOCH + Duration::from_secs(NOW),
        ..Totp::new(Arc::new(memory.clone()))
    };
    (TableBackend::new(engine, table()), memory)
}

async fn put(totp: &TableBackend<Totp>, name: &str, data: &str) -> String {
    shown(ask(totp, Operation::Update, &format!("keys/{name}"), data).await)
}

#[test]
fn the_table_is_well_formed() {
    assert_eq!(table().first_error(), None);
}

#[tokio::test]
async fn a_key_is_written_read_listed_and_deleted() {
    let (totp, memory) = backend();
    let given = r#"{"key":"hxdmvje","account_name":"a","period":"90s","digits":"8","algorithm":"SHA512","issuer":"x"}"#;
    assert_eq!(put(&totp, "k", given).await, "");
    assert_eq!(
        memory.text("key/k").unwrap(),
        "{\"key\":\"hxdmvje=\",\"issuer\":\"x\",\"account_name\":\"a\",\"period\":90,\"algorithm\":2,\"digits\":8,\"skew\":1}\n"
    );
    assert_eq!(
        shown(ask(&totp, Operation::Read, "keys/k", "").await),
        r#"{"account_name":"a","algorithm":"SHA512","digits":8,"issuer":"x","period":90}"#
    );
    put(&totp, "Some.User@x-y.z", r#"{"key":"HXDMVJEC"}"#).await;
    for (query, keys) in [
        ("", r#"{"keys":["Some.User@x-y.z","k"]}"#),
        (r#"{"limit":"1"}"#, r#"{"keys":["Some.User@x-y.z"]}"#),
        (r#"{"after":"a"}"#, r#"{"keys":["k"]}"#),
    ] {
        assert_eq!(
            shown(ask(&totp, Operation::List, "keys/", query).await),
            keys
        );
    }
    for _ in 0..2 {
        assert_eq!(shown(ask(&totp, Operation::Delete, "keys/k", "").await), "");
    }
    assert_eq!(shown(ask(&totp, Operation::Read, "keys/k", "").await), "");
}

#[tokio::test]
async fn a_made_key_is_shown_once_as_url_and_image() {
    let (totp, memory) = backend();
    let made = put(
        &totp,
        "k",
        r#"{"generate":true,"issuer":"Vault","account_name":"test@test.com"}"#,
    )
    .await;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let url = made["url"].as_str().unwrap();
    let start =
        "otpauth://totp/Vault:test@test.com?algorithm=SHA1&digits=6&issuer=Vault&period=30&secret=";
    let secret = url.strip_prefix(start).unwrap();
    assert_eq!(secret.len(), 32);
    assert!(memory.text("key/k").unwrap().contains(secret));
    assert!(made["barcode"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    // Read back by the other end, it has the same codes.
    assert_eq!(
        put(&totp, "other", &format!("{{\"url\":\"{url}\"}}")).await,
        ""
    );
    assert_eq!(
        shown(ask(&totp, Operation::Read, "code/k", "").await),
        shown(ask(&totp, Operation::Read, "code/other", "").await)
    );
    let base = r#""generate":true,"issuer":"i","account_name":"a""#;
    assert_eq!(
        put(&totp, "q", &format!("{{{base},\"exported\":false}}")).await,
        ""
    );
    let bare = put(
        &totp,
        "q",
        &format!("{{{base},\"qr_size\":0,\"key_size\":5}}"),
    )
    .await;
    assert!(
        bare.starts_with("{\"url\":\"") && !bare.contains("barcode"),
        "{bare}"
    );
}

#[tokio::test]
async fn what_cannot_be_drawn_is_not_made() {
    let (totp, memory) = backend();
    let refused = put(
        &totp,
        "k",
        r#"{"generate":true,"issuer":"i","account_name":"a","qr_size":10}"#,
    )
    .await;
    assert_eq!(
        refused,
        "InvalidRequest: failed to generate QR code image: can not scale barcode to an image smaller than 41x41"
    );
    assert!(memory.0.lock().is_empty());
}

#[tokio::test]
async fn parameters_are_checked_in_the_order_of_the_witness() {
    let (totp, memory) = backend();
    for (data, text) in [
        ("{}", "the key value is required"),
        (r#"{"key":""}"#, "the key value is required"),
        (
            r#"{"generate":true,"key":"a","url":"u"}"#,
            "a key should not be passed if generate is true",
        ),
        (
            r#"{"generate":true,"url":"u"}"#,
            "a url should not be passed if generate is true",
        ),
        (
            r#"{"url":":"}"#,
            "an error occurred while parsing url string",
        ),
        (
            r#"{"url":"otpauth://totp/a?digits=x&period=x"}"#,
            "an error occurred while parsing period value in url",
        ),
        (
            r#"{"url":"otpauth://totp/a?digits=x"}"#,
            "an error occurred while parsing digits value in url",
        ),
        (
            r#"{"url":"otpauth://totp/a?issuer=a","key":"AAAAAAAA"}"#,
            "the key value is required",
        ),
        (
            r#"{"url":"otpauth://totp/a?secret=AA&period=0"}"#,
            "the period value must be greater than zero",
        ),
        (
            r#"{"key":"x","digits":7,"algorithm":"x","period":0,"skew":5,"qr_size":-1,"key_size":-1}"#,
            "the digits value can only be 6 or 8",
        ),
        (
            r#"{"key":"x","algorithm":"sha1","period":0,"skew":5,"qr_size":-1,"key_size":-1}"#,
            "the algorithm value is not valid",
        ),
        (
            r#"{"key":"x","period":"500ms","skew":5,"qr_size":-1,"key_size":-1}"#,
            "the period value must be greater than zero",
        ),
        (
            r#"{"key":"x","skew":5,"qr_size":-1,"key_size":-1}"#,
            "the skew value must be 0 or 1",
        ),
        (
            r#"{"key":"x","qr_size":-1,"key_size":-1}"#,
            "the qr_size value must be greater than or equal to zero",
        ),
        (
            r#"{"key":"x","qr_size":100000000}"#,
            "the qr_size value must not be greater than 4096",
        ),
        (
            r#"{"key":"x","key_size":-1}"#,
            "the key_size value must be greater than zero",
        ),
        (
            r#"{"generate":true,"key_size":100000}"#,
            "the key_size value must not be greater than 1024",
        ),
        (
            r#"{"generate":true}"#,
            "the account_name value is required for generated keys",
        ),
        (
            r#"{"generate":true,"account_name":"a"}"#,
            "the issuer value is required for generated keys",
        ),
        (
            r#"{"key":"not base 32!"}"#,
            "invalid key value: illegal base32 data at input byte 3",
        ),
    ] {
        assert_eq!(
            put(&totp, "k", data).await,
            format!("InvalidRequest: {text}"),
            "{data}"
        );
    }
    assert!(memory.0.lock().is_empty());
}

#[tokio::test]
async fn a_url_wins_over_parameters_and_fills_what_it_names() {
    let (totp, _) = backend();
    for (data, shown_key) in [
        (
            r#"{"url":"otpauth://totp/Google:t@g.com?secret=HTXT7KJF&issuer=Other&algorithm=SHA256&digits=8&period=60"}"#,
            r#"{"account_name":"t@g.com","algorithm":"SHA256","digits":8,"issuer":"Other","period":60}"#,
        ),
        (
            r#"{"url":"otpauth://totp/a?secret=HTXT7KJF","account_name":"z","issuer":"y","period":10,"digits":8,"algorithm":"SHA256","key":"AAAAAAAA"}"#,
            r#"{"account_name":"a","algorithm":"SHA256","digits":8,"issuer":"y","period":10}"#,
        ),
    ] {
        assert_eq!(put(&totp, "u", data).await, "");
        assert_eq!(
            shown(ask(&totp, Operation::Read, "keys/u", "").await),
            shown_key
        );
    }
}

#[tokio::test]
async fn a_code_is_generated_and_verified_once() {
    let (totp, _) = backend();
    put(
        &totp,
        "k",
        r#"{"key":"HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ","period":"1h"}"#,
    )
    .await;
    let generated = shown(ask(&totp, Operation::Read, "code/k", "").await);
    let generated: serde_json::Value = serde_json::from_str(&generated).unwrap();
    // What OpenBao answered for this key in this hour.
    assert_eq!(generated["code"], "481567");
    assert_eq!(generated["generated"], NOW);
    assert_eq!(generated["expire_time"], 1_795_514_400_u64);
    assert_eq!(generated["period"], "1h0m0s");
    let verify = |name: &'static str, data: &'static str| {
        let totp = &totp;
        async move { shown(ask(totp, Operation::Update, &format!("code/{name}"), data).await) }
    };
    assert_eq!(
        verify("k", r#"{"code":"000000"}"#).await,
        r#"{"valid":false}"#
    );
    assert_eq!(verify("k", r#"{"code":481567}"#).await, r#"{"valid":true}"#);
    let used = "InvalidRequest: code already used; wait until the next time period";
    assert_eq!(verify("k", r#"{"code":"481567"}"#).await, used);
    // Also for a key that was deleted and brought again under its name.
    ask(&totp, Operation::Delete, "keys/k", "").await.unwrap();
    assert_eq!(
        verify("k", r#"{"code":"481567"}"#).await,
        "InvalidRequest: unknown key: k"
    );
    put(
        &totp,
        "k",
        r#"{"key":"HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ","period":"1h"}"#,
    )
    .await;
    assert_eq!(verify("k", r#"{"code":"481567"}"#).await, used);
    for data in ["", r#"{"code":""}"#] {
        assert_eq!(
            verify("k", data).await,
            "InvalidRequest: the code value is required"
        );
    }
    for data in [r#"{"code":"12"}"#, r#"{"code":" 481567 "}"#] {
        assert_eq!(
            verify("k", data).await,
            "InvalidRequest: invalid number of digits for the code"
        );
    }
    assert_eq!(
        verify("none", "").await,
        "InvalidRequest: unknown key: none"
    );
}

#[tokio::test]
async fn other_paths_and_operations_are_unsupported() {
    let (totp, _) = backend();
    for (operation, path, text) in [
        (
            Operation::Read,
            "keys",
            "UnsupportedOperation: unsupported operation",
        ),
        (
            Operation::Delete,
            "code/a",
            "UnsupportedOperation: unsupported operation",
        ),
        (
            Operation::Patch,
            "keys/a",
            "UnsupportedOperation: unsupported operation",
        ),
        (Operation::List, "keys/x/", "NotFound: unsupported path"),
        (Operation::List, "code/", "NotFound: unsupported path"),
        (Operation::Read, "nope", "NotFound: unsupported path"),
        (Operation::Read, "", "NotFound: unsupported path"),
        (Operation::Update, "keys/-a", "NotFound: unsupported path"),
        (Operation::Update, "keys/a.", "NotFound: unsupported path"),
        (Operation::Update, "keys/a b", "NotFound: unsupported path"),
        (Operation::Update, "keys/a/b", "NotFound: unsupported path"),
    ] {
        let outcome = ask(&totp, operation, path, r#"{"key":"AA"}"#).await;
        assert_eq!(shown(outcome), text, "{path}");
    }
    let help = shown(ask(&totp, Operation::Help, "keys/a", "").await);
    assert!(help.contains("qr_size"), "{help}");
}
