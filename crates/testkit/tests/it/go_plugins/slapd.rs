//! OpenLDAP's server as a process of the test, on loopback, with a folder of its own; and a client that can do one thing: log in.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use linchpin_testkit::{Fixture, fixture, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Who may do everything, and their password.
pub(super) const ADMIN: &str = "cn=admin,dc=example,dc=org";
pub(super) const PASSWORD: &str = "not a secret";

/// The running server; ended and removed when dropped.
pub(super) struct Slapd {
    address: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Slapd {
    /// Starts it in `folder` with these people below `ou=users,dc=example,dc=org`, whose passwords are `first`.
    pub(super) async fn start(folder: &Path, people: &[&str]) -> Self {
        let program = fixture(Fixture::Slapd).expect("asked for at the start");
        let folder = folder.join("slapd");
        fs::create_dir_all(folder.join("data")).unwrap();
        // The unpacked packages look like a root folder: its libraries, modules and schemas are beside the program.
        let root = program.ancestors().nth(3).unwrap();
        let libraries = root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let slapd = || {
            let mut command = Command::new(&program);
            command
                .env("LD_LIBRARY_PATH", &libraries)
                .stdin(Stdio::null());
            command
        };
        let configuration = folder.join("slapd.conf");
        fs::write(&configuration, configured(root, &folder)).unwrap();
        let entries = folder.join("entries.ldif");
        fs::write(&entries, ldif(people)).unwrap();
        let added = slapd()
            .args(["-T", "add", "-f"])
            .arg(&configuration)
            .arg("-l")
            .arg(&entries)
            .output()
            .unwrap();
        assert!(added.status.success(), "slapd -T add: {added:?}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let log = fs::File::create(folder.join("log")).unwrap();
        // With a debug level it stays in the foreground.
        let child = slapd()
            .args(["-d", "0", "-h", &format!("ldap://{address}"), "-f"])
            .arg(&configuration)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let started = Self {
            address,
            folder,
            child,
        };
        until("slapd lets its administrator in", || async {
            started.lets_in(ADMIN, PASSWORD).await.then_some(())
        })
        .await;
        started
    }

    /// `ldap://127.0.0.1:port`.
    pub(super) fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// Whether `name` may log in with `password`: a simple bind (RFC 4511 §4.2), answered with success.
    pub(super) async fn lets_in(&self, name: &str, password: &str) -> bool {
        let Ok(mut socket) = TcpStream::connect(self.address).await else {
            return false;
        };
        let bind = [
            element(0x02, &[3]),
            element(0x04, name.as_bytes()),
            element(0x80, password.as_bytes()),
        ];
        let message = element(
            0x30,
            &[element(0x02, &[1]), element(0x60, &bind.concat())].concat(),
        );
        if socket.write_all(&message).await.is_err() {
            return false;
        }
        // SEQUENCE, INTEGER 1, [APPLICATION 1] and in it first of all the ENUMERATED result code.
        let mut answer = [0; 10];
        let read = socket.read_exact(&mut answer).await;
        read.is_ok() && answer[5] == 0x61 && answer[7..] == [0x0a, 1, 0]
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn configured(root: &Path, folder: &Path) -> String {
    let (root, folder) = (root.display(), folder.display());
    // Where slapd is installed the root is "/".
    let root = root.to_string().trim_end_matches('/').to_owned();
    format!(
        "include {root}/etc/ldap/schema/core.schema\n\
         include {root}/etc/ldap/schema/cosine.schema\n\
         include {root}/etc/ldap/schema/inetorgperson.schema\n\
         pidfile {folder}/pid\n\
         modulepath {root}/usr/lib/ldap\n\
         moduleload back_mdb\n\
         database mdb\n\
         suffix \"dc=example,dc=org\"\n\
         rootdn \"{ADMIN}\"\n\
         rootpw \"{PASSWORD}\"\n\
         directory {folder}/data\n"
    )
}

fn ldif(people: &[&str]) -> String {
    let mut text = "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n\
                    dn: ou=users,dc=example,dc=org\nobjectClass: organizationalUnit\nou: users\n\n"
        .to_owned();
    for name in people {
        text.push_str(&format!(
            "dn: cn={name},ou=users,dc=example,dc=org\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nuserPassword: first\n\n"
        ));
    }
    text
}

/// One element of BER, shorter than 128 bytes or with its length in two.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x82);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}
