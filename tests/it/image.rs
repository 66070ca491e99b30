//! The files of the image say the same as each other and as Cargo.toml. `scripts/check-image` proves that it builds.

use std::collections::BTreeMap;

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The variables of `docker-compose.yml` with their defaults, where they have any.
fn variables(compose: &str) -> BTreeMap<String, Option<String>> {
    let inner = compose.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0);
    inner
        .map(|inner| match inner.split_once(":-") {
            Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
            None => (inner.split(":?").next().unwrap().to_owned(), None),
        })
        .collect()
}

#[test]
fn the_image_has_the_version_the_words_and_the_licence_of_the_package() {
    let (dockerfile, compose) = (file("Dockerfile"), file("docker-compose.yml"));
    let version = env!("CARGO_PKG_VERSION");
    assert!(dockerfile.contains(&format!("ARG VERSION={version}\n")));
    assert!(compose.contains(&format!("image: forecourt:{version}\n")));
    let label = |name: &str, value: &str| format!("org.opencontainers.image.{name}=\"{value}\"");
    assert!(dockerfile.contains(&label("description", env!("CARGO_PKG_DESCRIPTION"))));
    assert!(dockerfile.contains(&label("licenses", env!("CARGO_PKG_LICENSE"))));
}

#[test]
fn the_example_of_the_environment_has_what_compose_asks_for_and_nothing_else() {
    let asked_for = variables(&file("docker-compose.yml"));
    let example = file(".env.example");
    let shown: BTreeMap<String, Option<String>> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .filter(|(name, _)| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
        .map(|(name, value)| (name.to_owned(), example.contains(&format!("#{name}=")).then(|| value.to_owned())))
        .collect();
    assert_eq!(shown, asked_for, "one that must be filled in has no default and no `#`");
}

#[test]
fn a_container_without_its_configuration_file_does_not_run_the_demo() {
    let (dockerfile, compose) = (file("Dockerfile"), file("docker-compose.yml"));
    assert!(dockerfile.contains("FORECOURT_CONFIG=/etc/forecourt/forecourt.toml"));
    assert!(compose.contains("target: /etc/forecourt/forecourt.toml"), "where users have mounted theirs");
    assert!(dockerfile.contains("CMD [\"forecourt\", \"health\"]"));
}

#[test]
fn every_container_is_hardened_and_its_log_bounded() {
    let compose = file("docker-compose.yml");
    let services = compose.split("\nservices:").nth(1).unwrap().split("\nvolumes:").next().unwrap();
    for service in services.split("\n\n") {
        for line in
            ["read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "logging: *logging", "tmpfs: [/tmp"]
        {
            assert!(
                service.contains(&format!("\n    {line}")) || service.contains(&format!("[{line}]")),
                "{line}: {service}"
            );
        }
    }
    // The names of volumes that hold the data of those who had them before.
    for volume in ["postgres:/var/lib/postgresql/data", "forecourt:/var/lib/forecourt"] {
        assert!(compose.contains(&format!("- {volume}\n")), "{volume}");
    }
}
