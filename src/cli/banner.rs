//! What a start with the demo configuration says to the person who sees it for the first time.

use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{self, Config, Origin, Scheme};
use crate::domain::feed::Feed;

/// What a start with the demo configuration prints: how to post a lead, and how to look at what comes of it. `address` is the
/// one the service listens on, `admin` that of the admin listener where there is one, `psql` a whole command. `None` when
/// another configuration is in use.
pub(super) fn banner(config: &Config, address: SocketAddr, admin: Option<SocketAddr>, psql: &str) -> Option<String> {
    match config.origin {
        Origin::File(_) => return None,
        Origin::Demo => {}
    }
    let token = config.credentials.iter().find_map(|credential| match &credential.scheme {
        Scheme::Bearer(token) => Some(token),
        Scheme::ApiKey(_)
        | Scheme::Basic { .. }
        | Scheme::OauthClient { .. }
        | Scheme::LeadproJwt(_)
        | Scheme::Open => None,
    })?;
    let url = format!("http://{}", config::reachable(address));
    Some(format!(
        "forecourt listens on {url} with the demo configuration; its token is {token}\n\
         Post a lead, or several and a car with `forecourt send` (`cargo run -- send`):\n\
         {curl}\n\
         {console}\
         Look at the rows:\n\
         {psql}\n",
        token = token.expose_secret(),
        curl = curl(&url, token),
        console = admin.and_then(|admin| console(config, admin)).unwrap_or_default(),
    ))
}

/// Where the console is, and how to log in to it.
fn console(config: &Config, admin: SocketAddr) -> Option<String> {
    let login = config.admin.as_ref()?.console.as_ref()?;
    Some(format!(
        "See in the console what comes of it, as `{user}` with the password {password}:\n\
         http://{address}/\n",
        user = login.user,
        password = login.password.expose_secret(),
        address = config::reachable(admin),
    ))
}

/// A lead as small as one can be that makes a person, for the dealership of the Loopit page.
const SMALL_LEAD: &str = r#"{"id":1,"created":"2025-10-03T06:10:08Z","source":"Website","category":"General Enquiry","prospect":{"first_name":"Jo","last_name":"Citizen","email":"jo.citizen@example.com"},"dealership":{"id":356}}"#;

fn curl(url: &str, token: &SecretString) -> String {
    format!(
        "curl -sS {url}{path} -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{SMALL_LEAD}'",
        path = Feed::Lead.path(),
        token = token.expose_secret(),
    )
}

#[cfg(test)]
mod tests {
    use crate::config::Environment;

    use super::*;

    #[test]
    fn it_can_be_pasted() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::of([("FORECOURT_DATA_DIR", folder.path().to_str().unwrap())]);
        let mut config = config::load(None, &environment).unwrap();
        let address = "0.0.0.0:8080".parse().unwrap();
        let admin = "127.0.0.1:8081".parse().unwrap();
        let text = banner(&config, address, Some(admin), "psql -h /run/x forecourt").unwrap();
        let password = std::fs::read_to_string(folder.path().join("demo-console-password")).unwrap();
        let console = format!("as `demo` with the password {}:\nhttp://127.0.0.1:8081/\n", password.trim());
        assert!(text.contains(&console), "{text}");
        let without = banner(&config, address, None, "psql -h /run/x forecourt").unwrap();
        assert!(!without.contains("console") && !without.contains(password.trim()), "{without}");
        let curl = text.lines().find(|line| line.starts_with("curl ")).unwrap();
        assert!(
            curl.starts_with("curl -sS http://127.0.0.1:8080/webhooks/dealer-studio/leads -H 'Authorization: Bearer ")
        );
        assert!(text.lines().any(|line| line == "psql -h /run/x forecourt"));
        let body = curl.rsplit_once(" -d '").unwrap().1.strip_suffix('\'').unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["dealership"]["id"], 356);
        config.origin = Origin::File("forecourt.toml".into());
        assert_eq!(banner(&config, address, Some(admin), "psql"), None);
    }
}
