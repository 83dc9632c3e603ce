//! As much of `curl` as the book's page on HTTP uses: `-s`, `-i`, `-X`, `-H`, `-d`, `-w` and a URL.

use std::io::{Read, Write};
use std::net::TcpStream;

/// What `curl` prints that is called with `line`.
pub(crate) fn answer(line: &str) -> String {
    let mut words = words(line).into_iter();
    let (mut method, mut headers, mut data) = (None, Vec::new(), None);
    let (mut with_head, mut at_the_end, mut url) = (false, String::new(), String::new());
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap();
        match word.as_str() {
            "-s" => {}
            "-i" | "-si" => with_head = true,
            "-X" => method = Some(value()),
            "-H" => headers.push(value()),
            "-d" => data = Some(value()),
            "-w" => at_the_end = value(),
            other if !other.starts_with('-') => other.clone_into(&mut url),
            other => panic!("the page uses {other}, which this client does not know"),
        }
    }
    let method = method.unwrap_or_else(|| if data.is_some() { "POST" } else { "GET" }.to_owned());
    let (authority, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    if let Some(data) = &data {
        headers.push(format!("content-length: {}", data.len()));
    }
    headers.push(String::new());
    let lines = headers.join("\r\n");
    let body = data.unwrap_or_default();
    let request = format!("{method} /{path} HTTP/1.1\r\nhost: {authority}\r\n{lines}\r\n{body}");
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (head, body) = response(&mut stream);
    let status = head.split(' ').nth(1).unwrap_or_default();
    let at_the_end = at_the_end.replace("\\n", "\n").replace("%{http_code}", status);
    let head = if with_head { head.clone() + "\r\n\r\n" } else { String::new() };
    format!("{head}{body}{at_the_end}")
}

/// The head of an answer, without the empty line, and its body, which is as long as the head says.
fn response(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return (head.to_owned(), body.to_owned());
            }
        }
        let mut piece = [0; 4096];
        let len = stream.read(&mut piece).unwrap();
        assert!(len > 0, "half an answer: {text}");
        bytes.extend_from_slice(&piece[..len]);
    }
}

/// The words of a line as a shell takes them apart, with quotes and without escapes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
