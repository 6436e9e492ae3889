//! The members of one index beside each other, and what their platforms mean.

use super::fault::Fault;
use super::fields::{Fields, shortened};
use super::name::Name;
use super::pointer::Pointer;
use crate::oci::Platform;
use crate::source::image::{normal, platform_of, same_platform};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The annotation of a layout's tags.
pub(super) use crate::oci::annotation::REF_NAME;

/// What an index has listed so far.
#[derive(Default)]
pub(super) struct Members {
    digests: BTreeSet<(Name, Option<String>)>,
    platforms: BTreeSet<String>,
    names: BTreeMap<String, (Name, Option<String>)>,
}

impl Members {
    /// In which way a member is listed again, or wrongly named.
    pub(super) fn again(&mut self, member: &Fields<'_>, pointer: &Pointer, is_layout: bool) -> Option<Fault> {
        let annotations = member.map.get("annotations");
        let ref_name = annotations.and_then(|all| all.get(REF_NAME)?.as_str()).filter(|_| is_layout);
        let platform = member.map.get("platform").filter(|it| it.as_object().is_some_and(|map| !is_unknown(map)));
        let text = platform.map(Value::to_string);
        if let Some(name) = ref_name {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:@/+".contains(&b)) {
                return Some(Fault::RefName(shortened(name)));
            }
            let own = (pointer.name.clone(), text.clone());
            let first = self.names.entry(name.to_owned()).or_insert_with(|| own.clone());
            // One name may stand for several platforms.
            if first.0 != own.0 && (first.1.is_none() || first.1 == own.1) {
                return Some(Fault::SameName(shortened(name)));
            }
        }
        if !self.digests.insert((pointer.name.clone(), ref_name.map(str::to_owned))) {
            return Some(Fault::Twice);
        }
        // Of a layout these are images beside each other. In an index, annotations may tell two of a platform apart, as
        // those of another compression.
        let (false, Some(platform), Some(text)) = (is_layout, platform, text) else { return None };
        let shown = platform_of(platform).map_or(text, |platform| normal(&platform).to_string());
        let rest = [platform.get("os.version"), platform.get("os.features"), annotations];
        let rest = rest.map(|value| value.map(Value::to_string).unwrap_or_default());
        let whole = format!("{shown} {}", rest.join(" "));
        (!self.platforms.insert(whole)).then(|| Fault::SamePlatform(shortened(&shown)))
    }
}

/// Whether it says `unknown`, or nothing, of os and architecture: then it is no image, but something about one.
pub(super) fn is_unknown(json: &Map<String, Value>) -> bool {
    let nothing = |key| matches!(json.get(key).and_then(Value::as_str), None | Some("" | "unknown"));
    nothing("os") && nothing("architecture")
}

/// Whether a platform of an index is that of a config. A variant that one of them leaves out is not judged.
pub(super) fn fits(index: &Platform, config: &Platform) -> bool {
    let bare = |platform: &Platform| Platform { variant: None, ..platform.clone() };
    match (&index.variant, &config.variant) {
        (Some(_), Some(_)) => same_platform(index, config),
        _ => same_platform(&bare(index), &bare(config)),
    }
}
