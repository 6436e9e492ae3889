//! Listings that come in pages (distribution-spec, "Listing Tags"): `Link: <URL>; rel="next"`.

use super::auth::{Access, Reply};
use super::error::{Action, RegistryError, RegistryErrorKind};
use super::{Repository, Way};
use crate::net::Request;
use crate::oci::{document, json};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use url::Url;

/// No listing has more pages, entries or bytes.
const PAGES: usize = 1000;
const ENTRIES: usize = 100_000;
const BYTES: usize = 64 << 20;

impl Repository<'_> {
    /// All tags, sorted: registries should do that, and do not.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn tags(&self, interrupt: &AtomicBool) -> Result<Vec<String>, RegistryError> {
        self.list_tags(interrupt).map_err(|kind| self.failed(Action::Pull, &"", kind))
    }

    fn list_tags(&self, interrupt: &AtomicBool) -> Result<Vec<String>, RegistryErrorKind> {
        let way = self.registry.way(&self.host, interrupt)?;
        let first = format!("{}/v2/{}/tags/list?n=1000", way.base, self.name);
        let mut tags = Vec::new();
        self.pages(&way, &first, "application/json", interrupt, &mut |reply| {
            if reply.response.status != 200 {
                return Err(reply.error());
            }
            let list = json::parse(&reply.response.body).map_err(|_| listing("it is no JSON"))?;
            // Where there is none, some say `null`.
            let page = list.get("tags").and_then(serde_json::Value::as_array);
            tags.extend(page.into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)));
            Ok(tags.len())
        })?;
        tags.sort_unstable();
        Ok(tags)
    }

    /// Gives each page to `each`, which says how many entries there are by now.
    pub(super) fn pages(
        &self,
        way: &Way,
        first: &str,
        accept: &str,
        interrupt: &AtomicBool,
        each: &mut dyn FnMut(&Reply) -> Result<usize, RegistryErrorKind>,
    ) -> Result<(), RegistryErrorKind> {
        let mut url = Url::parse(first).map_err(|_| listing("its address is no URL"))?;
        let (mut seen, mut bytes) = (BTreeSet::new(), 0_usize);
        let headers = [("accept", accept)];
        while seen.insert(url.clone()) {
            let request = Request { headers: &headers, ..Request::get(url.as_str(), document::LIMIT) };
            let reply = self.call(way, Access::Pull, &request, interrupt)?;
            bytes = bytes.saturating_add(reply.response.body.len());
            if bytes > BYTES || each(&reply)? > ENTRIES || seen.len() > PAGES {
                return Err(listing("it has no end"));
            }
            let Some(next) = next(&reply) else { return Ok(()) };
            url = url.join(&next).map_err(|_| listing("its next page is no URL"))?;
            // Our credentials go with it.
            if !way.is_own(&url) {
                return Err(listing("its next page is on another host"));
            }
        }
        Err(listing("its pages go in circles"))
    }
}

pub(super) fn listing(why: &str) -> RegistryErrorKind {
    RegistryErrorKind::Listing { why: why.to_owned() }
}

/// The address of the next page, if there is one.
fn next(reply: &Reply) -> Option<String> {
    reply.response.headers("link").flat_map(links).find(|(_, is_next)| *is_next).map(|(url, _)| url)
}

/// The links of a header (RFC 8288), and whether each leads to the next page.
fn links(value: &str) -> Vec<(String, bool)> {
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((url, behind)) = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        let parameters = behind.split('<').next().unwrap_or_default();
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        });
        links.push((url.to_owned(), is_next));
        rest = behind;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        let next = |value: &str| links(value).into_iter().find(|(_, next)| *next).map(|(url, _)| url);
        assert_eq!(next(r#"</v2/a/tags/list?n=1&last=b>; rel="next""#).as_deref(), Some("/v2/a/tags/list?n=1&last=b"));
        assert_eq!(next(r#"<a>; rel="prev", <b>; title="x"; REL=next"#).as_deref(), Some("b"));
        for none in ["", "<a", "<a>", r#"<a>; rel="prev""#, "rel=next"] {
            assert_eq!(next(none), None, "{none}");
        }
    }
}
