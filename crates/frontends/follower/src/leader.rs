//! [`Leader`]: where the server is that is followed, and how it lets one in.

use std::fmt;
use std::time::Duration;

use logladder_engine::Position;
use serde::Deserialize;
use tungstenite::http::{HeaderValue, Uri};

/// How long the server may take to say how far its log goes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a server is, and how it lets one in.
#[derive(Debug, Clone)]
pub struct Leader {
    /// `host:port`.
    authority: String,
    /// It does not print itself.
    token: Option<HeaderValue>,
}

/// Why something is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLeader {
    why: &'static str,
}

impl fmt::Display for BadLeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl std::error::Error for BadLeader {}

impl Leader {
    /// The server at `url`, such as `http://127.0.0.1:8080`, which is sent the token if there is one.
    ///
    /// # Errors
    ///
    /// The address is none of a server without encryption, or no header can hold the token.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, BadLeader> {
        let bad = |why| BadLeader { why };
        let uri: Uri = url.parse().map_err(|_| bad("it is not of the form http://127.0.0.1:8080"))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad("it must begin with http://; encryption is left to a proxy or a tunnel"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(bad("it must end behind the port"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(bad("it names no host"))?;
        let header = |token: &str| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| bad("the token holds letters that no header can"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        let token = token.map(header).transpose()?;
        Ok(Self { authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)), token })
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Its address, without a `/` at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// What to send as `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    /// How far its log goes now, or why it does not say.
    pub(crate) fn position(&self, agent: &ureq::Agent) -> Result<Position, String> {
        #[derive(Deserialize)]
        struct Body {
            position: String,
        }
        let mut request = agent.get(format!("{}/v1/position", self.url()));
        if let Some(token) = &self.token {
            request = request.header(ureq::http::header::AUTHORIZATION, token);
        }
        let mut answer = request.call().map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let body: Body = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        body.position.parse().map_err(|error: logladder_engine::Error| error.to_string())
    }
}

/// What asks servers how far they are.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().new_agent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_what_is_none_says_why() {
        assert_eq!(Leader::new("http://localhost:1/", None).unwrap().url(), "http://localhost:1");
        assert_eq!(Leader::new("http://[::1]:8080", None).unwrap().authority(), "[::1]:8080");
        assert_eq!(Leader::new("http://example.org", None).unwrap().authority(), "example.org:80");
        for (url, why) in [
            ("", "form"),
            ("localhost:8080", "http://"),
            ("https://localhost", "encryption"),
            ("http://localhost/v1", "port"),
            ("http://localhost/?a=1", "port"),
        ] {
            let refused = Leader::new(url, None).unwrap_err().to_string();
            assert!(refused.contains(why), "{url:?}: {refused}");
        }
        assert!(Leader::new("http://localhost", Some("a\nb")).is_err());
    }

    #[test]
    fn a_token_is_not_printed() {
        let leader = Leader::new("http://localhost", Some("secret")).unwrap();
        assert!(!format!("{leader:?}").contains("secret"));
    }
}
