//! A web server in a container answers on a port of this machine.

use super::probe;
use crate::support::clients::{Bundle, Podman};
use crate::support::{Daemon, Image, Work, free_port, needs};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

#[test]
fn control_serves_a_page() {
    if needs(&["busybox", "skopeo", "umoci", "podman", "runc", "root"]) {
        serves_a_page(&probe::control(&Work::new()));
    }
}

#[test]
fn ours_serves_a_page() {
    if needs(&["busybox", "skopeo", "umoci", "podman", "runc", "root"]) {
        serves_a_page(&probe::ours(&Work::new()));
    }
}

fn serves_a_page(image: &Image) {
    let bundle = Bundle::unpack(&image.layout_tag());
    let address = format!("127.0.0.1:{}", free_port());
    let args = ["/bin/sh", "/usr/bin/report", "serve", &address].map(|arg| json!(arg));
    assert_eq!(page_of(&mut bundle.command(&args), &address), probe::PAGE);

    let podman = Podman::new();
    let id = podman.pull(&format!("oci:{}", image.layout_tag()));
    let address = format!("127.0.0.1:{}", free_port());
    assert_eq!(page_of(&mut podman.run_command(&id, "host", &["serve", &address]), &address), probe::PAGE);
}

/// The page at `/` of `address` while `command` runs.
pub fn page_of(command: &mut Command, address: &str) -> String {
    let work = Work::new();
    let mut server = Daemon::start(command, &work.join("log"));
    let mut page = None;
    server.wait_until(|| {
        page = fetch(address).ok();
        page.is_some()
    });
    page.expect("a page")
}

fn fetch(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.0 200 "), "{head}");
    Ok(body.to_owned())
}
