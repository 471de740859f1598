//! What is done with a mounted plugin, as data: calls on the mount and what must come back.
//!
//! In paths and bodies `{mount}` stands for the mount's path, `{api}` for the fake service and `{ldap}` for the LDAP server.

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{Expect, Target};
use serde_json::Value;

use super::World;

/// One call and its result.
pub(super) enum Step {
    /// Writes a body; the answer is 2xx.
    Write(&'static str, Value),
    /// Reads; at these JSON pointers below `data` the answer has these values.
    Read(&'static str, Vec<(&'static str, Value)>),
    /// Lists exactly these keys.
    List(&'static str, Vec<&'static str>),
    /// Deletes.
    Delete(&'static str),
    /// Reads and finds nothing.
    Gone(&'static str),
    /// This call is answered with an error that has this text.
    Fails(Method, &'static str, &'static str),
    /// Writing this body is answered with an error that has this text.
    Refuses(&'static str, Value, &'static str),
    /// The fake has received a request whose line begins so.
    Seen(&'static str),
    /// With the `dn` and `password` that a read returns one can log in to the LDAP server.
    Login(&'static str),
}

impl Step {
    pub(super) async fn run(&self, t: &Target, world: &World, mount: &str) {
        let at = |path: &str| format!("{mount}/{}", world.fill(mount, path));
        match self {
            Self::Write(path, body) => {
                let body = world.fill(mount, &body.to_string());
                let body = serde_json::from_str(&body).unwrap();
                t.post(&at(path), body).await.ok();
            }
            Self::Read(path, expected) => {
                let mut reply = t.get(&at(path)).await.is(200);
                for (pointer, value) in expected {
                    let value = world.fill(mount, &value.to_string());
                    let value: Value = serde_json::from_str(&value).unwrap();
                    reply = reply.has(&format!("/data{}", world.fill(mount, pointer)), value);
                }
            }
            Self::List(path, keys) => {
                let keys: Vec<String> = keys.iter().map(|key| world.fill(mount, key)).collect();
                t.list(&at(path)).await.is(200).has("/data/keys", keys);
            }
            Self::Delete(path) => drop(t.delete(&at(path)).await.ok()),
            Self::Gone(path) => drop(t.get(&at(path)).await.is(404)),
            Self::Fails(method, path, text) => {
                let request = Request::new(method.clone(), &at(path));
                let reply = t.send(request).await.error_has(text);
                assert!(reply.status() >= 400, "an error with {}", reply.status());
            }
            Self::Refuses(path, body, text) => {
                t.post(&at(path), body.clone())
                    .await
                    .is(400)
                    .error_has(text);
            }
            Self::Seen(begin) => {
                let fake = &world.fake;
                assert!(fake.has_seen(begin), "the fake has not seen {begin:?}");
            }
            Self::Login(path) => {
                let reply = t.get(&at(path)).await.is(200);
                let text = |pointer| reply.at(pointer).as_str().unwrap().to_owned();
                let (dn, password) = (text("/data/dn"), text("/data/password"));
                let slapd = world.slapd.as_ref().unwrap();
                assert!(slapd.lets_in(&dn, &password).await, "{dn} is let in");
                assert!(!slapd.lets_in(&dn, "wrong").await, "{dn} is let in wrongly");
            }
        }
    }
}
