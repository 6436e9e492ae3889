//! Directly or through a proxy: as curl and Go read the usual variables, where they agree.

use super::tls::{self, TlsConnector};
use super::{HttpError, HttpErrorKind, Settings, Timing};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, SocksConnector, TcpConnector};
use ureq::{Agent, Proxy};
use url::{Host, Url};

/// What the environment says of proxies.
#[derive(Clone)]
pub(super) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    /// Hosts, domains and networks that have none.
    direct: Vec<String>,
}

/// The ways to a host. Each keeps its idle connections.
pub(super) struct Routes {
    direct: Agent,
    https: Option<Agent>,
    http: Option<Agent>,
    proxies: Proxies,
    /// Nobody can be trusted.
    rootless: bool,
}

impl Proxies {
    /// Reads what the environment says.
    pub(super) fn new(settings: &Settings) -> Result<Self, HttpError> {
        let proxy = |own: &Option<String>| {
            let url = own.as_ref().or(settings.all_proxy.as_ref()).filter(|url| !url.is_empty());
            url.map(|url| Proxy::new(url).map_err(|_| HttpError::setup(not_a_proxy()))).transpose()
        };
        let direct = settings.no_proxy.as_deref().unwrap_or_default().split(',').map(|word| word.trim().to_lowercase());
        Ok(Self {
            https: proxy(&settings.https_proxy)?,
            http: proxy(&settings.http_proxy)?,
            direct: direct.filter(|word| !word.is_empty()).collect(),
        })
    }
}

impl Routes {
    /// Without `roots` everybody is trusted.
    pub(super) fn new(proxies: Proxies, timing: &Timing, roots: Option<Vec<CertificateDer<'static>>>) -> Self {
        let tls = tls::config(roots);
        let rootless = tls.is_none();
        let agent = |proxy| {
            let config = Agent::config_builder()
                .proxy(proxy)
                .user_agent(concat!("rebake/", env!("CARGO_PKG_VERSION")))
                // A digest is that of the bytes as they are stored there.
                .accept_encoding("identity")
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_resolve(Some(timing.connect))
                .timeout_connect(Some(timing.connect))
                .timeout_per_read(Some(timing.idle))
                .timeout_per_write(Some(timing.idle))
                .build();
            // As ureq has it, but for TLS.
            let connector =
                ().chain(SocksConnector::default())
                    .chain(ConnectProxyConnector::default())
                    .chain(TcpConnector::default())
                    .chain(TlsConnector(tls.clone()));
            Agent::with_parts(config, connector, DefaultResolver::default())
        };
        let through = |proxy: &Option<Proxy>| proxy.clone().map(|proxy| agent(Some(proxy)));
        Self { direct: agent(None), https: through(&proxies.https), http: through(&proxies.http), proxies, rootless }
    }

    /// The way to a URL.
    pub(super) fn agent(&self, url: &Url) -> Result<&Agent, HttpErrorKind> {
        if self.rootless && url.scheme() == "https" {
            return Err(HttpErrorKind::NoRoots);
        }
        let proxied = if url.scheme() == "https" { &self.https } else { &self.http };
        Ok(proxied.as_ref().filter(|_| !self.bypassed(url)).unwrap_or(&self.direct))
    }

    /// Whether no proxy is asked. This machine is always reached directly, as Go has it.
    fn bypassed(&self, url: &Url) -> bool {
        if super::is_loopback(url) {
            return true;
        }
        let (host, port) = (url.host_str().unwrap_or_default().to_lowercase(), url.port_or_known_default());
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            _ => None,
        };
        self.proxies.direct.iter().any(|entry| match address {
            _ if entry == "*" => true,
            Some(address) => in_network(address, entry),
            None => {
                let (name, wanted) = entry.rsplit_once(':').unwrap_or((entry, ""));
                let name = name.trim_start_matches("*.").trim_start_matches('.');
                let below = host.strip_suffix(name).is_some_and(|above| above.is_empty() || above.ends_with('.'));
                !name.is_empty() && below && (wanted.is_empty() || wanted.parse().ok() == port)
            }
        })
    }
}

fn not_a_proxy() -> HttpErrorKind {
    HttpErrorKind::Proxy("what stands for it is no URL such as http://proxy.example.com:3128".to_owned())
}

/// Whether an address is the one, or in the network (`10.0.0.0/8`), that an entry names.
fn in_network(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = entry.split_once('/').map_or((entry, None), |(network, bits)| (network, Some(bits)));
    let Ok(network) = network.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
    let value = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let ((a, width), (b, other)) = (value(address), value(network));
    let Ok(bits) = bits.map_or(Ok(width), str::parse::<u32>) else { return false };
    width == other && bits <= width && (bits == 0 || (a ^ b) >> (128 - bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(no_proxy: &str) -> Routes {
        let proxy = Some("http://user:secret@proxy.example.com:3128".to_owned());
        let settings = Settings { https_proxy: proxy, no_proxy: Some(no_proxy.to_owned()), ..Settings::default() };
        Routes::new(Proxies::new(&settings).expect("proxies"), &settings.timing, None)
    }

    #[test]
    fn no_proxy_names_hosts_domains_and_networks() {
        let routes = routes("Example.com, .below.org,*.star.net,port.io:8443,10.0.0.0/8, 192.168.1.7,fd00::/8");
        for direct in [
            "example.com",
            "a.EXAMPLE.com",
            "x.below.org",
            "x.star.net",
            "port.io:8443",
            "10.200.3.4",
            "192.168.1.7",
            "[fd12::1]",
            "localhost:5000",
            "127.9.9.9",
            "[::1]:5000",
        ] {
            assert!(routes.bypassed(&Url::parse(&format!("https://{direct}/")).expect("a URL")), "{direct}");
        }
        for proxied in ["notexample.com", "example.com.org", "port.io", "11.0.0.1", "192.168.1.70", "[fe80::1]"] {
            assert!(!routes.bypassed(&Url::parse(&format!("https://{proxied}/")).expect("a URL")), "{proxied}");
        }
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        let routes = routes("direct.org");
        let same = |url: &str, agent: &Agent| {
            let found = routes.agent(&Url::parse(url).expect("a URL")).expect("a route");
            std::ptr::eq(found, agent)
        };
        assert!(same("https://example.com/", routes.https.as_ref().expect("a proxy")));
        assert!(same("https://direct.org/", &routes.direct));
        assert!(same("http://example.com/", &routes.direct), "there is no http proxy, and no other one");
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused_unseen() {
        let settings = Settings { all_proxy: Some("ftp://me:secret@host".to_owned()), ..Settings::default() };
        let error = Proxies::new(&settings).err().expect("an error").to_string();
        assert!(error.contains("proxy") && !error.contains("secret"), "{error}");
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
