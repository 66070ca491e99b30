//! `docs/first-afternoon.md`, followed to the letter: its commands are run in order, its configuration is written where it
//! says, and what it shows of their output is what they print. Only the port is another one, for 8080 may be taken.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

const PAGE: &str = "docs/first-afternoon.md";
/// How long a command may take, and what a terminal is to show: on a busy machine, too.
const PATIENCE: Duration = Duration::from_mins(5);

/// A fenced block of the page.
#[derive(Debug)]
struct Block {
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(language) => {
                is_open = true;
                blocks.push(Block { language: language.to_owned(), text: String::new() });
            }
            None if is_open => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// The machine of the page: a home directory, and terminals in it.
struct Machine {
    home: tempfile::TempDir,
    address: String,
    terminals: Vec<Terminal>,
}

/// A terminal that stays open.
struct Terminal {
    child: Child,
    output: PathBuf,
}

impl Terminal {
    fn shown(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }

    /// Ctrl-C.
    fn interrupt(&self) {
        rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it did not end: {}", self.shown());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            let _gone_already = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            self.child.wait().unwrap();
        }
    }
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // Where the test is root, the private Postgres is somebody else's.
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        Self { home, address, terminals: Vec::new() }
    }

    fn with_port(&self, text: &str) -> String {
        text.replace("127.0.0.1:8080", &self.address)
    }

    /// A shell that runs a block, and what it shows.
    fn shell(&self, text: &str, output: &Path) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_forecourt"));
        let path = format!(
            "{}:{}",
            program.parent().unwrap().display(),
            forecourt::config::Environment::of_process().setting("PATH").unwrap()
        );
        let file = File::create(output).unwrap();
        let mut command = Command::new("bash");
        command.args(["-euc", &self.with_port(text)]);
        command.current_dir(self.home.path()).env_clear().env("PATH", path).env("HOME", self.home.path());
        command.env("FORECOURT_LISTEN", &self.address).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        command
    }

    /// Runs a block to its end; what it has shown.
    fn run(&self, text: &str) -> String {
        let output = self.home.path().join("shown");
        let child = self.shell(text, &output).spawn().unwrap();
        let mut terminal = Terminal { child, output };
        let status = terminal.ended();
        let shown = terminal.shown();
        assert!(status.success(), "{text}\n{status}: {shown}\n{}", self.all_shown());
        shown
    }

    /// Runs a block in a terminal that stays open.
    fn open(&mut self, text: &str) {
        let output = self.home.path().join(format!("terminal-{}", self.terminals.len()));
        let child = self.shell(text, &output).spawn().unwrap();
        self.terminals.push(Terminal { child, output });
    }

    fn all_shown(&self) -> String {
        self.terminals.iter().map(Terminal::shown).collect::<Vec<_>>().join("\n---\n")
    }

    /// Waits until the last command or a terminal has shown this.
    fn expect(&self, expected: &str, last: &str) {
        let (expected, end) = (&self.with_port(expected), Instant::now() + PATIENCE);
        while !shows(last, expected) && !self.terminals.iter().any(|terminal| shows(&terminal.shown(), expected)) {
            assert!(Instant::now() < end, "expected\n{expected}\nof\n{last}\nor of\n{}", self.all_shown());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Whether the lines of a block stand in an output, in their order; `…` is anything within a line, and of white space
/// one is as good as several.
fn shows(output: &str, expected: &str) -> bool {
    let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = output.lines().map(plain);
    expected.lines().map(plain).all(|wanted| lines.any(|line| fits(&line, &wanted)))
}

fn fits(line: &str, wanted: &str) -> bool {
    let mut rest = line;
    wanted.split('…').map(str::trim).filter(|part| !part.is_empty()).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn the_afternoon_of_the_documents_goes_as_they_say() {
    let mut machine = Machine::new();
    let mut last = String::new();
    let mut commands = 0;
    for Block { language, text } in blocks() {
        match language.as_str() {
            "toml" => std::fs::write(machine.home.path().join("forecourt/forecourt.toml"), text).unwrap(),
            // One line that runs for long has a terminal of its own.
            "sh" if text.starts_with("cd ~/forecourt && forecourt") => machine.open(&text),
            "sh" => {
                last = machine.run(&text);
                commands += 1;
            }
            "text" => machine.expect(&text, &last),
            // On another machine: systemd's and Docker's.
            "console" => {}
            other => panic!("a block of {other}"),
        }
    }
    assert!(commands >= 9, "{commands}");
    let [service, wait] = &mut machine.terminals[..] else { panic!("two terminals") };
    assert!(wait.ended().success(), "{}", wait.shown());
    service.interrupt();
    assert!(service.ended().success(), "{}", service.shown());
    let log = service.shown();
    assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");
}

#[test]
fn a_line_of_the_page_is_found_whatever_stands_for_the_dots() {
    let output = "one  two three\n{\"a\":1,\"b\":2}\nlast";
    for shown in ["one two", "one … three", "…\"b\":2}", "one\nlast", "… two …\n{…}"] {
        assert!(shows(output, shown), "{shown}");
    }
    for missing in ["two one", "three … one", "last\none", "four", "one … four"] {
        assert!(!shows(output, missing), "{missing}");
    }
}
