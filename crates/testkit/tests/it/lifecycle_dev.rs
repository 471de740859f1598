//! `-dev-plugin-init`: what is in the plugin directory is in the catalog when the server is there (plugin-lifecycle §7.7).

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use linchpin_testkit::client::{Client, Method, Request};
use linchpin_testkit::{Product, binary, run};

/// A dev server that registers what it finds; ended when dropped.
struct DevServer {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    /// What it printed until it was ready.
    banner: Vec<String>,
}

impl DevServer {
    fn start(name: &str, flags: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("dev-init-{}-{name}", std::process::id()));
        let plugins = folder.join("plugins");
        fs::create_dir_all(&plugins).unwrap();
        fs::write(plugins.join("notes.txt"), "no plugin").unwrap();
        for (file, built) in [("b-second", "fault-v2"), ("a-first", "fault-v1")] {
            fs::copy(binary(built), plugins.join(file)).unwrap();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut child = Command::new(binary("linchpin"))
            .args([
                "server",
                "-dev",
                "-dev-root-token-id=root",
                "-dev-no-store-token",
            ])
            .arg(format!("-dev-listen-address={address}"))
            .arg(format!("-dev-plugin-dir={}", plugins.display()))
            .args(flags)
            .env("TMPDIR", &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        // The list of plugins is the last thing of the banner, and an empty line ends it.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut banner = Vec::new();
        let mut is_listing = false;
        for line in lines {
            let line = line.unwrap();
            is_listing |= line.starts_with("The following files");
            if is_listing && line.is_empty() {
                break;
            }
            banner.push(line);
        }
        Self {
            child,
            address,
            folder,
            banner,
        }
    }

    async fn get(&self, path: &str) -> linchpin_testkit::client::Reply {
        let client = Client::new(self.address).with_token("root");
        client.send(Request::new(Method::GET, path)).await.unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// OpenBao does not start with a file there that is no plugin.
#[test]
fn a_dev_server_registers_what_it_finds_and_names_what_is_no_plugin() {
    run(Product::Linchpin, async |_| {
        let server = DevServer::start("on", &[]);
        let at = |line: &str| {
            let found = server
                .banner
                .iter()
                .position(|printed| printed.starts_with(line));
            found.unwrap_or_else(|| {
                panic!("{line} is not in {:#?}\n{}", server.banner, server.log())
            })
        };
        let title = at("The following dev plugins are registered in the catalog:");
        assert_eq!(
            server.banner[title],
            "The following dev plugins are registered in the catalog:"
        );
        assert_eq!(at("    - a-first"), title + 1);
        assert_eq!(at("    - b-second"), title + 2);
        let others = at("The following files could not be registered as plugins:");
        assert!(others > title, "{:#?}", server.banner);
        assert_eq!(at("    - notes.txt"), others + 1);
        assert!(server.log().contains("notes.txt"), "{}", server.log());
        for (name, version) in [("a-first", "v1.0.0"), ("b-second", "v1.1.0")] {
            let entry = server
                .get(&format!("sys/plugins/catalog/secret/{name}"))
                .await;
            assert_eq!(entry.status(), 200, "{entry:?}");
            assert_eq!(entry.at("/data/version"), version);
            assert_eq!(entry.at("/data/command"), name);
        }
        let none = server.get("sys/plugins/catalog/secret/notes.txt").await;
        assert_eq!(none.status(), 404);
    });
}

#[test]
fn a_dev_server_registers_nothing_when_it_is_told_so() {
    run(Product::Linchpin, async |_| {
        let server = DevServer::start("off", &["-dev-plugin-init=false"]);
        let text = server.banner.join("\n");
        assert!(!text.contains("are registered in the catalog"), "{text}");
        let entry = server.get("sys/plugins/catalog/secret/a-first").await;
        assert_eq!(entry.status(), 404);
    });
}
