//! One image in the three forms that clients read.

use super::{Work, rebake, run};
use std::path::{Path, PathBuf};

/// One image in the three forms that clients read, with the digests a client has to report.
pub struct Image {
    /// The name without tag, with a registry: `example.com/acme/probe`.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// The digest of the manifest, `sha256:...`.
    pub digest: String,
    /// An image layout.
    pub layout: PathBuf,
    /// A tar of one, with a docker `manifest.json`.
    pub oci_archive: PathBuf,
    /// What `docker save` writes.
    pub docker_archive: PathBuf,
}

impl Image {
    /// The recipe in folder `recipe` of `work`, baked into all three forms. All must have the same digest. The recipe names
    /// one tag.
    #[track_caller]
    pub fn baked(work: &Work, recipe: &str) -> Image {
        let image = Image::placed(work, recipe, "", "", "");
        let recipe = work.join(recipe);
        let printed = bake(&recipe, "oci", &image.layout);
        assert_eq!(bake(&recipe, "oci-archive", &image.oci_archive), printed);
        assert_eq!(bake(&recipe, "docker-archive", &image.docker_archive), printed);
        let (reference, digest) = printed.split_once('@').expect("NAME:TAG@DIGEST");
        let (name, tag) = reference.rsplit_once(':').expect("NAME:TAG");
        Image { name: name.to_owned(), tag: tag.to_owned(), digest: digest.to_owned(), ..image }
    }

    /// An image whose three forms will be at `base` in `work`.
    pub fn placed(work: &Work, base: &str, name: &str, tag: &str, digest: &str) -> Image {
        Image {
            name: name.to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
            layout: work.join(format!("{base}.layout")),
            oci_archive: work.join(format!("{base}.oci.tar")),
            docker_archive: work.join(format!("{base}.docker.tar")),
        }
    }

    /// `NAME:TAG`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, self.tag)
    }

    /// `DIR:TAG`, what follows `oci:`.
    pub fn layout_tag(&self) -> String {
        format!("{}:{}", self.layout.display(), self.tag)
    }
}

/// Builds one recipe; what it printed, without the line end.
#[track_caller]
fn bake(recipe: &Path, transport: &str, path: &Path) -> String {
    let dest = format!("{transport}:{}", path.display());
    run(rebake().arg("build").arg(recipe).args(["-o", &dest])).text()
}
