//! `send` against a server of a few lines that answers what it is told to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;

/// What arrived: the request line, the headers as one text in lower case, and the body.
struct Request {
    line: String,
    headers: String,
    body: String,
}

/// Answers one request with each of the replies, each on a connection of its own.
fn serve(replies: &'static [(u16, &'static str)]) -> (String, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || replies.iter().map(|reply| answer(&listener, *reply)).collect());
    (url, server)
}

fn answer(listener: &TcpListener, (status, reply): (u16, &str)) -> Request {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let (line, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.to_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let length = reply.len();
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reply}").unwrap();
    Request { line: line.to_owned(), headers, body: String::from_utf8(body).unwrap() }
}

fn arguments(url: &str) -> Arguments {
    let credential = CredentialArguments { bearer_env: Some("TOKEN".to_owned()), ..CredentialArguments::default() };
    Arguments { url: Some(url.to_owned()), repeat: 1, credential, ..Arguments::default() }
}

fn send(arguments: &Arguments) -> (String, Result<(), SendError>) {
    let mut out = Vec::new();
    let result = run(arguments, None, &Environment::of([("TOKEN", "abc\n")]), &Interruption::default(), &mut out);
    (String::from_utf8(out).unwrap(), result)
}

const BLOCKED: (u16, &str) =
    (200, r#"{"outcome":"applied","lead":"created","booking":"blocked","findings":[{"code":"asset_not_found"}]}"#);
const APPLIED: (u16, &str) = (200, r#"{"outcome":"applied","lead":"created","findings":[]}"#);

#[test]
fn the_examples_are_posted_in_order_with_the_credential() {
    let (url, server) = serve(&[BLOCKED, APPLIED, APPLIED, APPLIED, APPLIED, APPLIED]);
    let (out, result) = send(&arguments(&url));
    result.unwrap();
    assert_eq!(
        out,
        "fixtures/dealer_studio/lead/loopit_page_example.json: 200 applied; lead created, booking blocked; asset_not_found \
         (as expected: its car is not listed yet; the inventory that follows lists it and makes the booking)\n\
         fixtures/dealer_studio/inventory/vehicle_of_the_loopit_example.json: 200 applied; lead created\n\
         fixtures/dealer_studio/inventory/page_example.json: 200 applied; lead created\n\
         fixtures/dealer_studio/lead/lead_for_the_inventory_page_car.json: 200 applied; lead created\n\
         fixtures/dealer_studio/lead/lead_page_example.json: 200 applied; lead created\n\
         fixtures/dealer_studio/lead_cluster/page_example.json: 200 applied; lead created\n"
    );
    let requests = server.join().unwrap();
    let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
    let expected = ["leads", "inventory", "inventory", "leads", "leads", "lead-clusters"];
    let expected = expected.map(|door| format!("POST /webhooks/dealer-studio/{door} HTTP/1.1"));
    assert_eq!(lines, expected);
    assert!(requests.iter().all(|request| request.headers.contains("authorization: bearer abc\r\n")));
    assert!(requests.iter().all(|request| request.headers.contains("content-type: application/json\r\n")));
    assert!(requests[0].body.contains("JSAGJB74V00202326"));
}

#[test]
fn a_file_is_posted_byte_for_byte_as_often_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    std::fs::write(&path, "{ not json,\n").unwrap();
    let (url, server) = serve(&[APPLIED, APPLIED]);
    let arguments = Arguments { paths: vec![path], feed: Some(Feed::Inventory), repeat: 2, ..arguments(&url) };
    let (out, result) = send(&arguments);
    result.unwrap();
    assert_eq!(out.lines().count(), 2);
    assert!(server.join().unwrap().iter().all(|request| request.body == "{ not json,\n"));
}

#[test]
fn a_reply_that_is_not_200_ends_with_a_remedy_after_everything_was_sent() {
    let (url, server) = serve(&[APPLIED, (401, r#"{"error":"unauthorized"}"#), (302, ""), APPLIED, APPLIED, APPLIED]);
    let (out, result) = send(&arguments(&url));
    let second = "fixtures/dealer_studio/inventory/vehicle_of_the_loopit_example.json: 401 unauthorized";
    assert_eq!(out.lines().nth(1), Some(second));
    assert_eq!(
        result.unwrap_err().to_string(),
        "2 of 6 deliveries were not answered 200: look at the log of the service"
    );
    server.join().unwrap();
}

#[test]
fn a_credential_of_the_configuration_is_shown_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    let text = "[[workspaces]]\nslug = \"a\"\n[[credentials]]\nname = \"stock\"\nscheme = \"basic\"\nuser = \"u\"\n\
                feeds = \"all\"\nworkspaces = \"all\"\nsecret_env = \"TOKEN\"\n";
    std::fs::write(&path, text).unwrap();
    let (url, server) = serve(&[APPLIED, APPLIED, APPLIED, APPLIED, APPLIED, APPLIED]);
    let named = |name: &str| {
        let credential = CredentialArguments { credential: Some(name.to_owned()), ..CredentialArguments::default() };
        let arguments = Arguments { credential, ..arguments(&url) };
        run(
            &arguments,
            Some(&path),
            &Environment::of([("TOKEN", "p"), ("HOME", "/home/ada")]),
            &Interruption::default(),
            &mut Vec::new(),
        )
    };
    named("stock").unwrap();
    let shown = |request: &Request| request.headers.contains("authorization: basic dtpw\r\n");
    assert!(server.join().unwrap().iter().all(shown));
    let unknown = named("stok").unwrap_err().to_string();
    assert_eq!(unknown, "the configuration has no credential `stok`: name one that `forecourt check` lists");
}

#[test]
fn what_an_editor_puts_before_a_payload_or_a_token_stands_in_the_way_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), format!("\u{feff}{text}")).unwrap();
        folder.path().join(name)
    };
    let (lead, token) = (file("x.json", r#"{"prospect":{}}"#), file("token", "abc\r\n"));
    let (url, server) = serve(&[APPLIED]);
    let credential = CredentialArguments { bearer_file: Some(token), ..CredentialArguments::default() };
    send(&Arguments { paths: vec![lead], credential, ..arguments(&url) }).1.unwrap();
    let requests = server.join().unwrap();
    assert_eq!(requests[0].line, "POST /webhooks/dealer-studio/leads HTTP/1.1");
    assert!(requests[0].headers.contains("authorization: bearer abc\r\n"), "{}", requests[0].headers);

    let token = signed("\u{feff}{\"event\":\"lead.created\"}".as_bytes(), &SecretString::from("hush")).unwrap();
    // The same as other libraries make of these claims.
    assert!(
        token.expose_secret().starts_with("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJldmVudCI6ImxlYWQuY3JlYXRlZCJ9.")
    );
    assert!(matches!(signed(b"not JSON", &SecretString::from("hush")), Err(SendError::NotSignable)));
}

#[test]
fn without_an_address_it_goes_where_the_configuration_listens() {
    let folder = tempfile::tempdir().unwrap();
    let (path, lead) = (folder.path().join("forecourt.toml"), folder.path().join("x.json"));
    std::fs::write(&lead, r#"{"prospect":{}}"#).unwrap();
    let (url, server) = serve(&[APPLIED]);
    let port = url.trim_end_matches('/').rsplit_once(':').unwrap().1.to_owned();
    let send = |listen: &str, more: &[(&str, &str)]| {
        // Of the file nothing else is needed.
        std::fs::write(&path, format!("[server]\nlisten = \"{listen}\"\n")).unwrap();
        let credential = CredentialArguments { bearer_env: Some("TOKEN".to_owned()), ..CredentialArguments::default() };
        let arguments = Arguments { paths: vec![lead.clone()], repeat: 1, credential, ..Arguments::default() };
        let environment = Environment::of([("TOKEN", "abc")].into_iter().chain(more.iter().copied()));
        run(&arguments, Some(&path), &environment, &Interruption::default(), &mut Vec::new())
    };
    send(&format!("0.0.0.0:{port}"), &[]).unwrap();
    assert_eq!(server.join().unwrap()[0].line, "POST /webhooks/dealer-studio/leads HTTP/1.1");
    let elsewhere = send("0.0.0.0:1", &[("FORECOURT_LISTEN", "127.0.0.1:2")]).unwrap_err().to_string();
    assert!(elsewhere.starts_with("no service answers at http://127.0.0.1:2:"), "{elsewhere}");
    let chosen = send("127.0.0.1:0", &[]).unwrap_err().to_string();
    assert!(chosen.contains("--url"), "{chosen}");
    let wrong = send("here", &[]).unwrap_err();
    assert!(matches!(wrong, SendError::Configuration(_)), "{wrong}");
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_sent() {
    let unusable = send(&arguments("127.0.0.1:8080")).1.unwrap_err();
    assert_eq!(
        unusable.to_string(),
        "`127.0.0.1:8080` is not the address of a service: write one such as `http://127.0.0.1:8080`"
    );
}

#[test]
fn a_service_that_cannot_be_reached_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let (out, result) = send(&arguments(&url));
    assert_eq!(out, "");
    assert_eq!(
        result.unwrap_err().to_string(),
        format!("no service answers at {url}: start one with `forecourt`, or name its address with `--url`")
    );
}

#[test]
fn the_shipped_examples_are_the_fixtures_of_the_repository() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for payload in payloads::examples(true) {
        assert_eq!(payload.body().unwrap(), std::fs::read(fixtures.join(&payload.name)).unwrap());
    }
}
