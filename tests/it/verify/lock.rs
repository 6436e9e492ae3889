//! Without an image: what the lock expects.

use super::{command, judged, published};
use crate::support::Work;

#[test]
fn without_an_image_the_lock_is_held_against_the_recipe() {
    let work = Work::new();
    let folder = published(&work);
    let nothing = command(&folder, &["verify"]);
    assert_eq!(nothing.code(), Some(2));
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert!(said.contains("rebake lock --record"), "{said}");

    command(&folder, &["lock", "--record"]).success();
    let (same, status) = judged(&folder, &[]);
    assert_eq!((same["rung"].as_str(), same["same"].as_bool(), status), (Some("identical"), Some(true), Some(0)));
    // The environment does not count.
    let mut later = crate::support::rebake();
    later.arg("verify").current_dir(&folder).env("SOURCE_DATE_EPOCH", "1700000000");
    assert_eq!(crate::support::attempt(&mut later).code(), Some(0));
    // From elsewhere, the only argument may be the recipe.
    assert_eq!(judged(work.path(), &["published"]).1, Some(0));
    assert_eq!(judged(work.path(), &["published/rebake.toml"]).1, Some(0));

    work.write("published/site/index.html", "<p>other</p>\n");
    let (other, status) = judged(&folder, &[]);
    assert_eq!((other["rung"].as_str(), status), (Some("different"), Some(1)));
    assert_eq!(other["expected"], same["expected"]);
    assert_ne!(other["rebuilt"], same["rebuilt"]);
}
