//! [`check_endpoint`]: what is no address of a member is refused at opening, in words that say what to write. A client that
//! tried to connect to it would go on to the deadline, and say that nobody answers.

use logladder_engine::{Error, Result};

/// Refuses what no client of etcd could connect to.
///
/// # Errors
///
/// [`Error::Cluster`].
pub(crate) fn check_endpoint(endpoint: &str) -> Result<()> {
    match fault_of(endpoint) {
        None => Ok(()),
        Some(why) => Err(Error::Cluster { why }),
    }
}

/// What is wrong with an endpoint, if anything is.
fn fault_of(endpoint: &str) -> Option<String> {
    const FORM: &str = "name it as http://10.0.0.1:2379, an address and a port";
    if endpoint.trim().is_empty() {
        return Some("an endpoint is empty: is there a comma too many?".to_owned());
    }
    if endpoint.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Some(format!("the endpoint {endpoint:?} has a space in it: {FORM}"));
    }
    let authority = match endpoint.split_once("://") {
        None => endpoint,
        Some(("http", authority)) => authority,
        Some(("https", _)) => {
            return Some(format!(
                "{endpoint} would need TLS, which this stage does not speak: name it as http://, through a tunnel where the network is not yours"
            ));
        }
        Some((scheme, _)) => {
            return Some(format!("{endpoint} begins with {scheme}, which members do not speak: {FORM}"));
        }
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains(['/', '?', '#']) {
        return Some(format!("{endpoint} goes on behind its port, and members have no paths: {FORM}"));
    }
    if authority.contains('@') {
        return Some(format!(
            "{endpoint} has a name or a password in it, which this stage does not speak: {FORM}"
        ));
    }
    let Some((host, port)) = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) else {
        return Some(format!(
            "{endpoint} names no port: etcd listens at 2379 unless it is told otherwise; {FORM}"
        ));
    };
    if host.is_empty() {
        return Some(format!("{endpoint} names no address: {FORM}"));
    }
    // The colons of such an address would be taken for that of the port.
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Some(format!("{endpoint} has more than one colon: an address of IPv6 stands in brackets"));
    }
    if port.parse().is_ok_and(|port: u16| port != 0) && !port.starts_with('+') {
        return None;
    }
    Some(format!("the port of {endpoint} is none: it is a number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_port_are_taken_and_everything_else_says_what_is_wrong_with_it() {
        for good in
            ["http://127.0.0.1:2379", "http://etcd-1:2379/", "10.0.0.1:2379", "http://[::1]:2379", "h:65535"]
        {
            assert_eq!(fault_of(good), None, "{good}");
        }
        for (bad, word) in [
            ("", "comma"),
            ("  ", "comma"),
            ("not a place", "space"),
            ("http://10.0.0.1:2379 ", "space"),
            ("https://10.0.0.1:2379", "TLS"),
            ("unix://socket", "unix"),
            ("http://10.0.0.1:2379/v3", "paths"),
            ("http://10.0.0.1:2379?a=b", "paths"),
            ("http://root:secret@10.0.0.1:2379", "password"),
            ("http://10.0.0.1", "no port"),
            ("http://[::1]", "no port"),
            ("http://:2379", "no address"),
            ("http://::1:2379", "brackets"),
            ("http://10.0.0.1:", "65535"),
            ("http://10.0.0.1:0", "65535"),
            ("http://10.0.0.1:99999", "65535"),
            ("http://10.0.0.1:+80", "65535"),
            ("http://10.0.0.1:2379x", "65535"),
        ] {
            let why = fault_of(bad).unwrap_or_default();
            assert!(why.contains(word), "{bad:?}: {why:?}");
        }
    }
}
