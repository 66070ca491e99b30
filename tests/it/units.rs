//! The units of `deploy/systemd`: systemd reads them without a complaint, and they say what the service counts on.

use std::path::Path;
use std::process::Command;

use super::support::left_out;

fn unit(name: &str) -> String {
    std::fs::read_to_string(format!("{}/deploy/systemd/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The number of systemd's version; none where it is not installed.
fn version() -> Option<u32> {
    let told = Command::new("systemd-analyze").arg("--version").output().ok()?;
    String::from_utf8(told.stdout).unwrap().split_whitespace().nth(1)?.parse().ok()
}

/// A folder with the units, for a program and a user that are there.
fn installed(folder: &Path) {
    std::fs::write(folder.join("forecourt.socket"), unit("forecourt.socket")).unwrap();
    let service = unit("forecourt.service").replace("/usr/local/bin/forecourt", env!("CARGO_BIN_EXE_forecourt"));
    std::fs::write(folder.join("forecourt.service"), service).unwrap();
    let drop_ins = folder.join("forecourt.service.d");
    std::fs::create_dir(&drop_ins).unwrap();
    let name = "before-systemd-253.conf";
    std::fs::write(drop_ins.join(name), unit(&format!("forecourt.service.d/{name}"))).unwrap();
}

#[test]
fn systemd_reads_the_units_without_a_complaint() {
    let Some(version) = version() else {
        left_out("systemd-analyze is not installed here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    installed(folder.path());
    let told = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "forecourt.service", "forecourt.socket"])
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    // What the drop-in beside the unit is for, which old ones need.
    let is_known =
        |line: &str| version < 253 && line.ends_with("Failed to parse service type, ignoring: notify-reload");
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("forecourt") && !is_known(line)).collect();
    assert!(told.status.success() && complaints.is_empty(), "{:?}: {said}", told.status);
}

#[test]
fn the_service_is_exposed_to_little() {
    if version().is_none() {
        left_out("systemd-analyze is not installed here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    installed(folder.path());
    // In tenths, of a hundred: what is above ends the command badly.
    let told = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=true", "--threshold=20"])
        .arg(folder.path().join("forecourt.service"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{said} {}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn the_units_say_what_the_service_counts_on() {
    let (service, socket) = (unit("forecourt.service"), unit("forecourt.socket"));
    for line in [
        "Type=notify-reload",
        "RestartPreventExitStatus=78",
        "StateDirectory=forecourt",
        "KillMode=mixed",
        "StartLimitIntervalSec=0",
        "WatchdogSec=60",
        "TimeoutStopSec=60",
    ] {
        assert!(service.contains(&format!("\n{line}\n")), "{line}");
    }
    assert!(socket.contains("\nListenStream=127.0.0.1:8080\n"));
    assert!(!socket.contains("Accept=yes"), "the service takes from the socket itself");
}
