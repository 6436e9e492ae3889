//! What refers to an image: signatures, SBOMs, and what refers to those.

use super::registry::tags_of;
use super::{TWO, artifact, blob, built, digest, document, index, list, ok, sound, tags};
use crate::support::clients::Registry;
use crate::support::{Work, needs};
use serde_json::{Value, json};

/// A layout with an image, an SBOM of it, a signature of the SBOM, one of a platform, and one of cosign's.
fn layout(work: &Work) -> (String, Vec<String>) {
    let top = digest(&built(work, "example.com/app", TWO));
    let folder = work.join("app.layout");
    let image = index(work, "app.layout")["manifests"][0].clone();
    let bytes = work.read(format!("app.layout/blobs/sha256/{}", &top["sha256:".len()..]));
    let platform = serde_json::from_slice::<Value>(&bytes).expect("JSON")["manifests"][1].clone();
    let sbom = artifact(&folder, "application/spdx+json", "an SBOM", Some(&image));
    let signature = artifact(&folder, "application/x-signature", "a signature", Some(&sbom));
    let other = artifact(&folder, "application/x-signature", "of a platform", Some(&platform));
    let cosign = artifact(&folder, "application/x-cosign", "by tag", None);
    let unrelated = artifact(&folder, "application/x-signature", "of something else", None);
    blob(&folder, "text/plain", b"an orphan");
    let all: Vec<String> =
        [&sbom, &signature, &other].iter().map(|one| one["digest"].as_str().expect("a digest").to_owned()).collect();
    for one in [sbom, signature, other] {
        list(work, "app.layout", one, None);
    }
    list(work, "app.layout", cosign, Some(&format!("{}.sig", top.replace(':', "-"))));
    list(work, "app.layout", unrelated, Some("unrelated"));
    (top, all)
}

#[test]
fn referrers_go_through_registries_and_come_back() {
    if !needs(&["docker-registry", "skopeo"]) {
        return;
    }
    let (near, far, work) = (Registry::start(), Registry::start(), Work::new());
    let (top, all) = layout(&work);
    let first = format!("docker://{}", near.reference("app"));
    // Without --all they stay behind.
    ok(&work, &["copy", "oci:app.layout:1.2", &format!("docker://{}", near.reference("alone"))]);
    assert_eq!(tags_of(&near.reference("alone")), ["1.2"]);

    let copied = document(&work, &["copy", "--all", "oci:app.layout:1.2", &first]);
    assert_eq!((&copied["digest"], &copied["referrers"]), (&json!(top), &json!(4)));
    let hex = top.replace(':', "-");
    let tags_there = tags_of(&near.reference("app"));
    // The registry has no API for them: each subject has its list.
    assert_eq!(tags_there.len(), 5, "{tags_there:?}");
    assert!([&hex, &format!("{hex}.sig"), "1.2"].iter().all(|tag| tags_there.iter().any(|there| there == tag)));

    let second = format!("docker://{}", far.reference("app"));
    let copied = document(&work, &["copy", "--all", &format!("{first}:1.2"), &second]);
    assert_eq!((&copied["digest"], &copied["referrers"]), (&json!(top), &json!(4)));
    assert_eq!(tags_of(&far.reference("app")), tags_there);

    ok(&work, &["copy", "--all", &format!("{second}:1.2"), "back"]);
    let there = tags(&work, "back");
    let untagged: Vec<&String> = there.iter().filter(|(tag, _)| tag == "-").map(|(_, digest)| digest).collect();
    assert!(all.iter().all(|one| untagged.contains(&one)) && untagged.len() == 3, "{there:?}");
    assert!(there.contains(&("1.2".to_owned(), top.clone())), "{there:?}");
    assert!(there.iter().any(|(tag, _)| *tag == format!("{hex}.sig")), "{there:?}");
    let listed = index(&work, "back");
    let sbom = listed["manifests"].as_array().expect("a list").iter().find(|one| one["digest"] == *all[0]);
    assert_eq!(sbom.expect("the SBOM")["artifactType"], "application/spdx+json");
    assert_eq!(sbom.expect("the SBOM")["annotations"]["says"], "an SBOM");
    // All blobs but the orphan and what is unrelated.
    assert_eq!(sound(&work, "back"), sound(&work, "app.layout") - 3);

    // A layout whole: every image, every referrer, once.
    let whole = ok(&work, &["copy", "--all", "app.layout", &format!("docker://{}", far.reference("whole"))]);
    assert_eq!(whole.lines().count(), 2, "{whole}");
    ok(&work, &["copy", "--all", "app.layout", "oci:whole"]);
    let (mut before, mut after) = (tags(&work, "app.layout"), tags(&work, "whole"));
    before.sort();
    after.sort();
    assert_eq!(before, after);
    ok(&work, &["copy", "--all", "whole", "oci:whole"]);
    assert_eq!(tags(&work, "whole").len(), before.len());
}
