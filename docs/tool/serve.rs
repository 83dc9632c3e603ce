//! The book at an address of this machine: built anew when a page changes, and shown anew in the browser.
//!
//! ```text
//!   docs/src changes ──► the pages are read and checked ──► docs/book is built ──► each open page is told to reload
//! ```
//!
//! What mdBook puts into a page for its own `serve` opens a WebSocket and waits for the word `reload`; here is the
//! other end of it. Nobody but this machine is answered.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to who writes the book")]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::{Book, check, html};

/// Where a page's WebSocket is.
const RELOAD: &str = "__livereload";

/// How often the pages are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// What the book is made of, from the root of the repository.
const SOURCES: [&str; 5] =
    ["docs/src", "docs/results", "docs/book.toml", "docs/allowed-figures.toml", "README.md"];

/// The files of the repository that pages lead to, beside those in its root folder.
const LINKED: [&str; 6] = ["benches", "crates", "docs", "fuzz", "xtask", ".ci"];

/// What a request needs to know.
#[derive(Debug)]
struct Served {
    root: PathBuf,
    /// The folder that the book is built into.
    built: PathBuf,
    /// How often it was built.
    builds: watch::Sender<u64>,
}

/// Builds the book, serves it at this port of the loopback address, and goes on until interrupted. Port 0 is any that is
/// free.
///
/// # Errors
///
/// The book cannot be built, or the port is taken.
pub fn serve(root: &Path, port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let built = root.join(html::DESTINATION);
        build(root, &built)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen at {address}; `--port 0` takes any port that is free"))?;
        println!("the book is at http://{}/ and follows its pages; Ctrl-C ends it", listener.local_addr()?);
        let served = Arc::new(Served { root: root.to_path_buf(), built, builds: watch::Sender::new(0) });
        tokio::select! {
            outcome = axum::serve(listener, router(Arc::clone(&served))) => outcome.context("the server ended"),
            outcome = follow(&served) => outcome,
            outcome = tokio::signal::ctrl_c() => outcome.context("cannot wait for Ctrl-C"),
        }
    })
}

/// Reads the pages, says what is wrong with them, and builds them all the same.
fn build(root: &Path, destination: &Path) -> Result<()> {
    let book = Book::read(root)?;
    for fault in check(&book)? {
        println!("{fault}");
    }
    html::build_with_reload(&book, destination, RELOAD)?;
    Ok(())
}

/// Builds the book anew whenever something that it is made of has changed.
async fn follow(served: &Arc<Served>) -> Result<()> {
    let mut known = fingerprint(&served.root);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = fingerprint(&served.root);
        if now == known {
            continue;
        }
        known = now;
        let theirs = Arc::clone(served);
        match tokio::task::spawn_blocking(move || build(&theirs.root, &theirs.built)).await? {
            Ok(()) => {
                println!("built anew");
                served.builds.send_modify(|builds| *builds += 1);
            }
            // Whoever writes is in the middle of something.
            Err(error) => eprintln!("not built: {error:#}"),
        }
    }
}

/// Differs when a source has changed; what cannot be read counts as not there.
fn fingerprint(root: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut paths: Vec<PathBuf> = SOURCES.iter().map(|source| root.join(source)).collect();
    while let Some(path) = paths.pop() {
        let Ok(about) = path.metadata() else { continue };
        if let Ok(entries) = path.read_dir() {
            paths.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else {
            (path, about.len(), about.modified().ok()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn router(served: Arc<Served>) -> Router {
    Router::new()
        .route(&format!("/{RELOAD}"), get(reload))
        .route("/", get(|State(served): State<Arc<Served>>| async move { answer(&served, "index.html") }))
        .route(
            "/{*path}",
            get(|State(served): State<Arc<Served>>, UrlPath(path): UrlPath<String>| async move {
                answer(&served, &path)
            }),
        )
        .with_state(served)
}

/// Tells a page once that there is a newer one.
async fn reload(upgrade: WebSocketUpgrade, State(served): State<Arc<Served>>) -> Response {
    let mut builds = served.builds.subscribe();
    upgrade.on_upgrade(async move |mut socket| {
        if builds.changed().await.is_ok() {
            // The page may have gone.
            let _ = socket.send(Message::text("reload")).await;
        }
    })
}

fn answer(served: &Served, path: &str) -> Response {
    let Some(file) = file_of(served, path) else { return StatusCode::NOT_FOUND.into_response() };
    match std::fs::read(&file) {
        Ok(bytes) => ([(header::CONTENT_TYPE, kind_of(&file)), (header::CACHE_CONTROL, "no-store")], bytes)
            .into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The file that a path of the book leads to, or of the repository: from a page, a link to the source leads up
/// beyond the book's first folder, where a browser stops.
fn file_of(served: &Served, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    if !path.components().all(|component| matches!(component, Component::Normal(_))) {
        return None;
    }
    let page = served.built.join(path);
    let page = if page.is_dir() { page.join("index.html") } else { page };
    if page.is_file() {
        return Some(page);
    }
    let is_linked = path.components().count() == 1 || LINKED.iter().any(|folder| path.starts_with(folder));
    let is_text = kind_of(path) == TEXT && !path.components().any(|part| part.as_os_str() == "target");
    (is_linked && is_text).then(|| served.root.join(path)).filter(|file| file.is_file())
}

const TEXT: &str = "text/plain; charset=utf-8";

fn kind_of(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => TEXT,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use logladder::SyncPolicy;
    use logladder::disk::{RealDisk, replace};

    use super::*;

    fn put(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        replace(&*RealDisk::shared(), path, &[text.as_bytes()], SyncPolicy::Never).unwrap();
    }

    fn sample() -> (tempfile::TempDir, Served) {
        let root = tempfile::tempdir().unwrap();
        put(&root.path().join("docs/book/index.html"), "<p>the first page");
        put(&root.path().join("crates/a.rs"), "fn a() {}");
        put(&root.path().join("target/secret.txt"), "no page leads here");
        let built = root.path().join("docs/book");
        let served = Served { root: root.path().into(), built, builds: watch::Sender::new(0) };
        (root, served)
    }

    #[test]
    fn a_path_leads_to_a_page_or_to_a_source_and_never_out_of_the_repository() {
        let (root, served) = sample();
        assert_eq!(file_of(&served, "index.html"), Some(root.path().join("docs/book/index.html")));
        assert_eq!(file_of(&served, "crates/a.rs"), Some(root.path().join("crates/a.rs")));
        for path in ["../a", "crates/../../a", "/etc/passwd", "target/secret.txt", "absent.html", ""] {
            assert_eq!(file_of(&served, path).filter(|file| !file.ends_with("index.html")), None, "{path}");
        }
    }

    #[test]
    fn what_the_book_is_made_of_is_seen_to_change() {
        let (root, _served) = sample();
        let before = fingerprint(root.path());
        assert_eq!(fingerprint(root.path()), before);
        put(&root.path().join("docs/src/a.md"), "# A");
        assert_ne!(fingerprint(root.path()), before);
    }

    #[test]
    fn pages_are_answered_and_what_is_not_there_is_not() {
        let (_root, served) = sample();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router(Arc::new(served))).await });
        let ask = |path: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let first = ask("/");
        assert!(first.starts_with("HTTP/1.1 200") && first.ends_with("<p>the first page"), "{first}");
        assert!(first.contains("text/html"), "{first}");
        assert!(ask("/crates/a.%72s").ends_with("fn a() {}"));
        assert!(ask("/absent.html").starts_with("HTTP/1.1 404"));
    }
}
