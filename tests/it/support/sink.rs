//! Where alerts are posted to: a small HTTP server that keeps what it gets, and answers as a test wants it.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    /// The first line.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Posted {
    /// A header's value, of a name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// How a request is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answered {
    /// With this status.
    With(u16),
    /// Never: the connection stays open.
    Never,
}

/// The server; it ends with the process.
pub(crate) struct Sink {
    port: u16,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Sink {
    /// One that answers the first requests so, and all others 204.
    pub(crate) fn answering(first: &[Answered]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, posted) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<Posted>>>::default());
        let (kept, mut answers) = (Arc::clone(&posted), VecDeque::from(first.to_vec()));
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                kept.lock().unwrap().push(read(&stream));
                match answers.pop_front().unwrap_or(Answered::With(204)) {
                    Answered::With(status) => {
                        let head = "connection: close\r\ncontent-length: 0\r\nlocation: /elsewhere";
                        let _gone =
                            stream.write_all(format!("HTTP/1.1 {status} As asked\r\n{head}\r\n\r\n").as_bytes());
                    }
                    Answered::Never => silent.push(stream),
                }
            }
        });
        Self { port, posted }
    }

    /// Its address, with a path that nobody else should know.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/s3cret-path?token=s3cret-too", self.port)
    }

    /// What may be told of the address.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came so far.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Posted {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let (first, mut headers) = (line(), Vec::new());
    loop {
        let header = line();
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Posted { line: first, headers, body: String::from_utf8(body).unwrap() }
}
