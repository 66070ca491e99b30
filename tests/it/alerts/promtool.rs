//! Prometheus' own tool, where it is installed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The tool.
pub(super) struct Promtool(PathBuf);

impl Promtool {
    /// In the path.
    pub(super) fn find() -> Option<Self> {
        let path = std::env::vars_os().find_map(|(name, value)| (name == "PATH").then_some(value))?;
        let found = std::env::split_paths(&path).map(|folder| folder.join("promtool")).find(|file| file.exists());
        found.map(Self)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.0)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let written = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        // It may have ended before it read everything.
        let _ = written.join();
        output
    }

    /// Must end well.
    pub(super) fn succeeds(&self, arguments: &[&str]) {
        self.reads(arguments, "");
    }

    /// The same with an input.
    pub(super) fn reads(&self, arguments: &[&str], input: &str) {
        let Output { status, stdout, stderr } = self.run(arguments, input);
        let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{arguments:?}: {said}");
    }

    /// Which alerts fire at which of the times of a file that expects none at any, as label sets by time.
    pub(super) fn firing(&self, file: &Path) -> BTreeMap<String, Vec<String>> {
        let Output { stdout, stderr, .. } = self.run(&["test", "rules", file.to_str().unwrap()], "");
        let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        let (mut firing, mut time) = (BTreeMap::new(), String::new());
        for line in said.lines() {
            if let Some((_, rest)) = line.split_once("\", time: ") {
                rest.trim_end_matches(',').clone_into(&mut time);
            }
            let Some((_, got)) = line.split_once("got: {") else { continue };
            let sets = got.split('{').map(|set| set.split('}').next().unwrap().replace("__name__=\"ALERTS\", ", ""));
            firing.insert(time.clone(), sets.filter(|set| !set.is_empty()).collect::<Vec<_>>());
        }
        assert!(!firing.is_empty(), "nothing fires: {said}");
        firing
    }
}
