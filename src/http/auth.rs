//! Who may enter: the schemes as a small pure core. It sees headers and says which credential they prove; it knows
//! no database, no clock and no replies.
//!
//! What is presented is hashed and compared with every candidate, without stopping at the first that fits, so the
//! time an attempt takes says nothing about how near it came.

use std::collections::BTreeSet;

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::domain::workspace::Permitted;
use crate::feeds::Feed;

/// What lets a sender in.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name in the configuration, in logs and in `intake.deliveries`.
    pub name: String,
    /// What has to be presented.
    pub scheme: Scheme,
    /// The feeds it may post to.
    pub feeds: BTreeSet<Feed>,
    /// The workspaces it may write to.
    pub permitted: Permitted,
}

/// How a secret is presented.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// `Authorization: Bearer <secret>` (RFC 6750).
    Bearer(SecretString),
    /// The bare secret in one of the API key headers.
    ApiKey(SecretString),
    /// `Authorization: Basic <base64 of user:password>` (RFC 7617).
    Basic {
        /// The user name; it cannot hold a colon.
        user: String,
        /// The password; it may hold colons.
        password: SecretString,
    },
    /// Nothing is asked.
    Open,
}

/// Why a set of credentials cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Two credentials have one name.
    #[error("the credential name `{name}` is used twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A secret is the empty text, which anyone could present.
    #[error("the secret of the credential `{name}` is empty")]
    EmptySecret {
        /// The credential's name.
        name: String,
    },
    /// A Basic user name holds a colon, so that it could not be told from its password.
    #[error("the user name of the credential `{name}` holds a colon")]
    UserWithColon {
        /// The credential's name.
        name: String,
    },
    /// A header that is to carry API keys cannot be called so.
    #[error("`{name}` cannot be the name of a header")]
    HeaderName {
        /// The name.
        name: String,
    },
}

/// Nothing that was presented proves a credential of the feed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no credential of this feed was presented")]
pub struct Refused {
    /// The schemes that were tried, by name; never what was presented.
    pub tried: BTreeSet<&'static str>,
    /// Digests of what was presented, from which a keyed fingerprint can be made. Not to be shown as they are.
    pub presented: Vec<[u8; 32]>,
}

/// Every credential of the configuration.
pub struct Credentials {
    candidates: Vec<Candidate>,
    api_key_headers: Vec<HeaderName>,
}

/// A credential with the digest of what proves it; `None` where nothing is asked.
struct Candidate {
    credential: Credential,
    digest: Option<Fingerprint>,
}

/// The SHA-256 of a scheme's name and what is presented under it.
type Fingerprint = [u8; 32];

/// What a request presents.
#[derive(Default)]
struct Presented {
    digests: Vec<Fingerprint>,
    tried: BTreeSet<&'static str>,
}

/// The headers in which an API key is looked for, whatever the configuration says. Dealer Studio's pages spell the
/// first both ways.
const API_KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x_api_key"),
    HeaderName::from_static("x-authorization"),
];

const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";
const BASIC: &str = "basic";

/// Base64 as senders write it: with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Credentials {
    /// Takes the credentials of a configuration, and the names of further API key headers.
    ///
    /// # Errors
    ///
    /// When a credential could not be told from another, or would let anyone in without being `open`; when a header
    /// cannot have such a name.
    pub fn new(credentials: Vec<Credential>, api_key_headers: &[String]) -> Result<Self, CredentialError> {
        let mut names = BTreeSet::new();
        for credential in &credentials {
            check(credential)?;
            if !names.insert(credential.name.clone()) {
                return Err(CredentialError::DuplicateName { name: credential.name.clone() });
            }
        }
        let candidates = credentials
            .into_iter()
            .map(|credential| Candidate { digest: credential.scheme.digest(), credential })
            .collect();
        let mut headers = API_KEY_HEADERS.to_vec();
        for name in api_key_headers {
            let unusable = |_cause| CredentialError::HeaderName { name: name.clone() };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(unusable)?;
            if !headers.contains(&name) {
                headers.push(name);
            }
        }
        Ok(Self { candidates, api_key_headers: headers })
    }

    /// The credential of the feed that the headers prove. Where several are proven the first of the configuration
    /// counts, and an open one only where none is.
    ///
    /// # Errors
    ///
    /// When no credential of the feed is proven. Two `Authorization` headers prove nothing: which of them a proxy
    /// looked at cannot be known.
    pub fn authenticate(&self, headers: &HeaderMap, feed: Feed) -> Result<&Credential, Refused> {
        let presented = self.presented(headers);
        let mut proven = None;
        let mut open = None;
        for Candidate { credential, digest } in &self.candidates {
            let of_feed = Choice::from(u8::from(credential.feeds.contains(&feed)));
            let equal = digest.map_or(Choice::from(0), |digest| equals_any(&digest, &presented.digests));
            if bool::from(equal & of_feed) {
                proven = proven.or(Some(credential));
            }
            if digest.is_none() && bool::from(of_feed) {
                open = open.or(Some(credential));
            }
        }
        proven.or(open).ok_or(Refused { tried: presented.tried, presented: presented.digests })
    }

    /// The values of `WWW-Authenticate` for a feed, one for each scheme that has a challenge. A refusal must carry
    /// one (RFC 9110 §11.6.1), so a feed that knows only API keys, which have none, asks for a bearer token.
    #[must_use]
    pub fn challenges(&self, feed: Feed) -> Vec<HeaderValue> {
        let of_feed = |fits: fn(&Scheme) -> bool| {
            self.candidates.iter().any(|each| each.credential.feeds.contains(&feed) && fits(&each.credential.scheme))
        };
        let basic = of_feed(|scheme| matches!(scheme, Scheme::Basic { .. }));
        let bearer = of_feed(|scheme| matches!(scheme, Scheme::Bearer(_))) || !basic;
        let mut challenges = Vec::new();
        if bearer {
            challenges.push(HeaderValue::from_static("Bearer realm=\"forecourt\""));
        }
        if basic {
            challenges.push(HeaderValue::from_static("Basic realm=\"forecourt\", charset=\"UTF-8\""));
        }
        challenges
    }

    /// The names of the headers that can hold a secret.
    pub fn secret_headers(&self) -> impl Iterator<Item = HeaderName> {
        self.api_key_headers.iter().cloned().chain([AUTHORIZATION])
    }

    fn presented(&self, headers: &HeaderMap) -> Presented {
        let mut presented = Presented::default();
        let mut authorizations = headers.get_all(AUTHORIZATION).iter();
        match (authorizations.next(), authorizations.next()) {
            (Some(_), Some(_)) => {
                for value in headers.get_all(AUTHORIZATION) {
                    presented.add("two_authorizations", value.as_bytes());
                }
                return presented;
            }
            (Some(value), None) => presented.add_authorization(value.as_bytes()),
            (None, _) => (),
        }
        for value in self.api_key_headers.iter().flat_map(|name| headers.get_all(name)) {
            presented.add(API_KEY, value.as_bytes());
        }
        presented
    }
}

impl Scheme {
    /// The digest of what proves the credential.
    fn digest(&self) -> Option<Fingerprint> {
        match self {
            Self::Bearer(secret) => Some(digest(BEARER, secret.expose_secret().as_bytes())),
            Self::ApiKey(secret) => Some(digest(API_KEY, secret.expose_secret().as_bytes())),
            Self::Basic { user, password } => {
                let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
                Some(digest(BASIC, pair.expose_secret().as_bytes()))
            }
            Self::Open => None,
        }
    }
}

impl Presented {
    fn add(&mut self, scheme: &'static str, value: &[u8]) {
        self.tried.insert(scheme);
        self.digests.push(digest(scheme, value));
    }

    /// Takes `<scheme> <rest>`; the scheme's name is read without regard to case (RFC 9110 §11.1).
    fn add_authorization(&mut self, value: &[u8]) {
        let mut parts = value.splitn(2, |byte| *byte == b' ');
        let scheme = parts.next().unwrap_or_default();
        let rest = parts.next().unwrap_or_default();
        let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
        let rest = rest.split_at(start).1;
        if scheme.eq_ignore_ascii_case(b"bearer") {
            self.add(BEARER, rest);
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            self.tried.insert(BASIC);
            match BASE64.decode(rest) {
                Ok(pair) => self.add(BASIC, &pair),
                Err(_no_base64) => self.digests.push(digest("undecoded", rest)),
            }
        } else {
            // Under a name that no credential has, so that it proves nothing.
            self.add("other", value);
        }
    }
}

/// Refuses a credential that could not do what it says.
fn check(credential: &Credential) -> Result<(), CredentialError> {
    let name = || credential.name.clone();
    let secret = match &credential.scheme {
        Scheme::Bearer(secret) | Scheme::ApiKey(secret) => secret,
        Scheme::Basic { user, .. } if user.contains(':') => {
            return Err(CredentialError::UserWithColon { name: name() });
        }
        Scheme::Basic { password, .. } => password,
        Scheme::Open => return Ok(()),
    };
    if secret.expose_secret().is_empty() { Err(CredentialError::EmptySecret { name: name() }) } else { Ok(()) }
}

/// The scheme is part of the digest, so that a secret presented under another scheme never equals.
fn digest(scheme: &str, value: &[u8]) -> Fingerprint {
    Sha256::new().chain_update(scheme).chain_update([0]).chain_update(value).finalize().into()
}

/// Compares with every one of them, in the same time whichever fits.
fn equals_any(digest: &Fingerprint, others: &[Fingerprint]) -> Choice {
    others.iter().fold(Choice::from(0), |equal, other| equal | digest.ct_eq(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADS: &[Feed] = &[Feed::Lead];
    const BOTH: &[Feed] = &[Feed::Lead, Feed::Inventory];

    /// Header names with their values.
    type Pairs<'a> = &'a [(&'a str, &'a [u8])];

    fn credential(name: &str, scheme: Scheme, feeds: &[Feed]) -> Credential {
        Credential { name: name.to_owned(), scheme, feeds: feeds.iter().copied().collect(), permitted: Permitted::All }
    }

    fn bearer(secret: &str) -> Scheme {
        Scheme::Bearer(SecretString::from(secret))
    }

    fn api_key(secret: &str) -> Scheme {
        Scheme::ApiKey(SecretString::from(secret))
    }

    fn basic(user: &str, password: &str) -> Scheme {
        Scheme::Basic { user: user.to_owned(), password: SecretString::from(password) }
    }

    fn house() -> Credentials {
        let credentials = vec![
            credential("bearer", bearer("b3arer+secret/=="), LEADS),
            credential("bearer next", bearer("the next one"), LEADS),
            credential("key", api_key("k3y secret"), BOTH),
            credential("basic", basic("dealer", "pass:wörd"), LEADS),
            credential("stock", bearer("for inventory"), &[Feed::Inventory]),
        ];
        Credentials::new(credentials, &["ocp-apim-subscription-key".to_owned()]).unwrap()
    }

    fn headers(pairs: Pairs<'_>) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap())
            })
            .collect()
    }

    fn base64(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64.encode(text)).into_bytes()
    }

    fn entered(pairs: Pairs<'_>) -> Option<String> {
        house().authenticate(&headers(pairs), Feed::Lead).ok().map(|credential| credential.name.clone())
    }

    #[test]
    fn a_right_secret_enters_by_every_way_it_may_arrive() {
        let pair = base64("dealer:pass:wörd");
        let unpadded: Vec<u8> = pair.iter().copied().filter(|byte| *byte != b'=').collect();
        let table: &[(&str, Pairs<'_>)] = &[
            ("bearer", &[("authorization", b"Bearer b3arer+secret/==")]),
            ("bearer", &[("Authorization", b"bEARER b3arer+secret/==")]),
            ("bearer", &[("authorization", b"Bearer   b3arer+secret/==")]),
            ("bearer next", &[("authorization", b"Bearer the next one")]),
            ("key", &[("X-API-KEY", b"k3y secret")]),
            ("key", &[("X_API_KEY", b"k3y secret")]),
            ("key", &[("X-Authorization", b"k3y secret")]),
            ("key", &[("Ocp-Apim-Subscription-Key", b"k3y secret")]),
            ("basic", &[("authorization", &pair)]),
            ("basic", &[("authorization", &unpadded)]),
            ("key", &[("authorization", b"Bearer wrong"), ("x-api-key", b"k3y secret")]),
            ("key", &[("x-api-key", b"wrong"), ("x-authorization", b"k3y secret")]),
            ("bearer", &[("x-api-key", b"k3y secret"), ("authorization", b"Bearer b3arer+secret/==")]),
        ];
        for (name, pairs) in table {
            assert_eq!(entered(pairs).as_deref(), Some(*name), "{pairs:?}");
        }
    }

    #[test]
    fn whatever_is_not_a_right_secret_is_refused() {
        let bad_pairs =
            ["dealer", "dealer:", ":pass:wörd", "dealer:pass", "dealer:pass:wörd\n", "Dealer:pass:wörd", ""];
        let spaced = [base64("dealer:pass:wörd").as_slice(), b" "].concat();
        let broken = [base64("dealer:pass:wörd").as_slice(), b"!"].concat();
        let mut table: Vec<Vec<(&str, Vec<u8>)>> = vec![
            vec![],
            vec![("authorization", b"".to_vec())],
            vec![("authorization", b"Bearer".to_vec())],
            vec![("authorization", b"Bearer ".to_vec())],
            vec![("authorization", b"b3arer+secret/==".to_vec())],
            vec![("authorization", b"Bearer\tb3arer+secret/==".to_vec())],
            vec![("authorization", b"Bearer b3arer+secret/== ".to_vec())],
            vec![("authorization", b"Bearer \"b3arer+secret/==\"".to_vec())],
            vec![("authorization", b"Bearer b3arer+secret/=".to_vec())],
            vec![("authorization", b"Bearer B3ARER+SECRET/==".to_vec())],
            vec![("authorization", b"Bearer b3arer%2Bsecret%2F%3D%3D".to_vec())],
            vec![("authorization", b"Bearer k3y secret".to_vec())],
            vec![("authorization", b"Bearer dealer:pass".to_vec())],
            vec![("authorization", b"Token b3arer+secret/==".to_vec())],
            vec![("authorization", b"Bearer for inventory".to_vec())],
            vec![("authorization", b"Bearer \xff\xfe".to_vec())],
            vec![("authorization", b"\xff b3arer+secret/==".to_vec())],
            vec![("authorization", spaced)],
            vec![("authorization", broken)],
            vec![("authorization", b"Basic".to_vec())],
            vec![("x-api-key", b"".to_vec())],
            vec![("x-api-key", b"b3arer+secret/==".to_vec())],
            vec![("x-api-key", b"Bearer k3y secret".to_vec())],
            vec![("x-api-key", b"k3y secret ".to_vec())],
            vec![("x-other-key", b"k3y secret".to_vec())],
            vec![("cookie", b"k3y secret".to_vec())],
        ];
        table.extend(bad_pairs.iter().map(|pair| vec![("authorization", base64(pair))]));
        for row in &table {
            let pairs: Vec<(&str, &[u8])> = row.iter().map(|(name, value)| (*name, value.as_slice())).collect();
            assert_eq!(entered(&pairs), None, "{row:?}");
        }
    }

    #[test]
    fn two_authorization_headers_prove_nothing_even_beside_a_right_key() {
        let right: &[u8] = b"Bearer b3arer+secret/==";
        assert_eq!(entered(&[("authorization", right), ("authorization", right)]), None);
        assert_eq!(
            entered(&[("authorization", right), ("authorization", b"Bearer x"), ("x-api-key", b"k3y secret")]),
            None
        );
    }

    #[test]
    fn a_secret_opens_only_the_feeds_of_its_credential() {
        let house = house();
        let right = headers(&[("authorization", b"Bearer for inventory")]);
        assert!(house.authenticate(&right, Feed::Inventory).is_ok());
        assert!(house.authenticate(&right, Feed::Lead).is_err());
    }

    #[test]
    fn an_open_credential_is_used_when_nothing_presented_fits_and_only_for_its_feed() {
        let credentials = vec![credential("open", Scheme::Open, LEADS), credential("named", bearer("secret"), BOTH)];
        let credentials = Credentials::new(credentials, &[]).unwrap();
        let name = |pairs: Pairs<'_>, feed| {
            credentials.authenticate(&headers(pairs), feed).ok().map(|credential| credential.name.as_str())
        };
        assert_eq!(name(&[], Feed::Lead), Some("open"));
        assert_eq!(name(&[("authorization", b"Bearer wrong")], Feed::Lead), Some("open"));
        assert_eq!(name(&[("authorization", b"Bearer secret")], Feed::Lead), Some("named"));
        let twice: Pairs<'_> = &[("authorization", b"Bearer secret"), ("authorization", b"Bearer secret")];
        assert_eq!(name(twice, Feed::Lead), Some("open"));
        assert_eq!(name(twice, Feed::Inventory), None);
        assert_eq!(name(&[], Feed::Inventory), None);
        assert_eq!(name(&[("authorization", b"Bearer secret")], Feed::Inventory), Some("named"));
    }

    #[test]
    fn a_refusal_names_the_schemes_that_were_tried_and_nothing_else() {
        let tried = |pairs: Pairs<'_>| {
            let refused = house().authenticate(&headers(pairs), Feed::Lead).err().unwrap();
            refused.tried.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(tried(&[]), "");
        assert_eq!(tried(&[("authorization", b"Bearer x"), ("x-api-key", b"y")]), "api_key bearer");
        assert_eq!(tried(&[("authorization", b"Basic !")]), "basic");
        assert_eq!(tried(&[("authorization", b"Digest x")]), "other");
        assert_eq!(tried(&[("authorization", b"Bearer x"), ("authorization", b"Bearer y")]), "two_authorizations");
    }

    #[test]
    fn the_challenges_are_those_of_the_feeds_schemes() {
        let bearer_challenge = "Bearer realm=\"forecourt\"";
        let basic_challenge = "Basic realm=\"forecourt\", charset=\"UTF-8\"";
        let table: &[(Vec<Scheme>, &[&str])] = &[
            (vec![bearer("x")], &[bearer_challenge]),
            (vec![basic("x", "y")], &[basic_challenge]),
            (vec![basic("x", "y"), bearer("x")], &[bearer_challenge, basic_challenge]),
            (vec![api_key("x")], &[bearer_challenge]),
            (vec![], &[bearer_challenge]),
        ];
        for (schemes, challenges) in table {
            let named = schemes.iter().enumerate();
            let list = named.map(|(at, scheme)| credential(&at.to_string(), scheme.clone(), LEADS)).collect();
            assert_eq!(Credentials::new(list, &[]).unwrap().challenges(Feed::Lead), *challenges, "{schemes:?}");
        }
    }

    #[test]
    fn credentials_that_could_not_do_what_they_say_are_refused() {
        let refused = |list| Credentials::new(list, &[]).err();
        let name = || "a".to_owned();
        for empty in [bearer(""), api_key(""), basic("user", "")] {
            assert_eq!(
                refused(vec![credential("a", empty, LEADS)]),
                Some(CredentialError::EmptySecret { name: name() })
            );
        }
        assert_eq!(
            refused(vec![credential("a", basic("us:er", "x"), LEADS)]),
            Some(CredentialError::UserWithColon { name: name() })
        );
        assert_eq!(
            refused(vec![credential("a", bearer("x"), LEADS), credential("a", bearer("y"), LEADS)]),
            Some(CredentialError::DuplicateName { name: name() })
        );
    }

    #[test]
    fn a_credential_shown_for_debugging_hides_its_secret() {
        let shown = format!("{:?}", credential("a", basic("user", "hidden"), LEADS));
        assert!(shown.contains("user") && !shown.contains("hidden"), "{shown}");
    }
}
