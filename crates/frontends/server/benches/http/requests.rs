//! Single requests to a server, by a client that knows what it gets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::served::{PATH, VALUE};

pub(crate) fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

/// One request on a connection of its own, and all of its answer.
pub(crate) fn ask(server: SocketAddr, method: &str, path: &str, body: &[u8]) -> Result<String> {
    let mut stream = connect(server)?;
    let len = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Gets the value on a connection that stays.
pub(crate) fn get_value(stream: &mut TcpStream) -> Result<()> {
    // In one piece: the second of several would wait for the first to be confirmed.
    stream.write_all(format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())?;
    read_value(stream)
}

/// Reads an answer that must be the value.
pub(crate) fn read_value(stream: &mut TcpStream) -> Result<()> {
    let mut answer = Vec::new();
    while !answer.ends_with(&VALUE) {
        let mut piece = [0; 1024];
        let len = stream.read(&mut piece)?;
        ensure!(len > 0, "cut off behind {:?}", answer.escape_ascii().to_string());
        answer.extend_from_slice(&piece[..len]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer.escape_ascii());
    Ok(())
}
