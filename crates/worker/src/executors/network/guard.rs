//! Addresses where no task goes unless its file says so: those of the link, where clouds serve the
//! credentials of the machine to whoever asks.
//!
//! Names are resolved here and nowhere else, so that what was looked at is what is connected to.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

/// Metadata services that are not at addresses of the link: Alibaba, Oracle, Azure.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
/// Amazon, Google.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Why a name leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It leads to an address where no task goes.
    Forbidden(IpAddr),
    /// It has no address.
    Unresolved(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(address) => write!(
                f,
                "{address} is a link-local address or one of cloud metadata: it is used only where \
                 the file says `allow_link_local: true`"
            ),
            Self::Unresolved(reason) => write!(f, "the name has no address: {reason}"),
        }
    }
}

impl Error for Refusal {}

/// Which addresses may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Guard {
    pub may_use_link_local: bool,
}

impl Guard {
    /// Looks at a URL that names an address itself: such a one is never resolved.
    pub(crate) fn look(self, url: &Url) -> Result<(), Refusal> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.admit(address.into()),
            Some(Host::Ipv6(address)) => self.admit(address.into()),
            _ => Ok(()),
        }
    }

    fn admit(self, address: IpAddr) -> Result<(), Refusal> {
        if self.may_use_link_local || !is_guarded(address) {
            return Ok(());
        }
        Err(Refusal::Forbidden(address))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found
                .map_err(|error| Refusal::Unresolved(error.to_string()))?
                // One such address is enough: a name that leads there leads nowhere else.
                .map(|address| guard.admit(address.ip()).map(|()| address))
                .collect::<Result<_, _>>()?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_guarded(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || METADATA_V4.contains(&address),
        IpAddr::V6(address) => {
            let within = embedded(address).is_some_and(|inner| is_guarded(inner.into()));
            within || address.is_unicast_link_local() || METADATA_V6.contains(&address)
        }
    }
}

/// The address of the old kind that one of the new kind stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let from = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        // NAT64, and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(from(high, low)),
        _ => address.to_ipv4(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_link_are_known_however_they_are_written() {
        let guard = Guard { may_use_link_local: false };
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[2002:a9fe:a9fe::1]",
            "100.100.100.200",
        ] {
            let url = Url::parse(&format!("http://{host}/latest/meta-data")).unwrap();
            assert!(matches!(guard.look(&url), Err(Refusal::Forbidden(_))), "{host}");
            let allowed = Guard { may_use_link_local: true };
            assert_eq!(allowed.look(&url), Ok(()), "{host}");
        }
        for host in ["127.0.0.1", "10.0.0.1", "[::1]", "8.8.8.8", "[2001:db8::1]", "a.example"] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(guard.look(&url), Ok(()), "{host}");
        }
    }
}
