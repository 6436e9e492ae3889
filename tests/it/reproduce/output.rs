//! Variations of the destination: an old image in the way, and archives, which are reproducible files themselves.

use super::source::{RECIPE, Twin, destination, differs, output, rebake};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[test]
fn an_image_in_the_way() {
    let twin = Twin::new();
    twin.hold(&[]);
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let before = inode(&twin.out());
    twin.hold(&[]);
    differs("the inode of the layout", &before, &inode(&twin.out()));
    // Another image, of which nothing stays.
    fs::write(twin.recipe(), RECIPE.replace("1.4.2", "1.4.3")).unwrap();
    let other = super::source::Baked::new(twin.build(&[]), &twin.out());
    differs("the image", &other.printed, &super::source::expected().printed);
    fs::write(twin.recipe(), RECIPE).unwrap();
    twin.hold(&[]);
}

#[test]
fn archives() {
    // A docker-archive holds one platform.
    let single = RECIPE.replace("[\"linux/amd64\", \"linux/arm64\"]", "[\"linux/amd64\"]");
    for (transport, recipe) in [("oci-archive", RECIPE), ("docker-archive", &single)] {
        let bake = |mask: &str, folder: &str, jobs: &str| {
            let twin = Twin::new();
            let source = twin.home().join(folder);
            super::source::write(&source, recipe);
            let script = format!("umask {mask} && exec \"$0\" \"$@\"");
            let mut command = rebake(&["sh", "-c", &script]);
            let file = source.join("image.tar");
            command.current_dir(&source).args(["build", "--jobs", jobs, "-o"]).arg(destination(transport, &file));
            let printed = output(command);
            (printed, fs::metadata(&file).unwrap().mode(), fs::read(&file).unwrap(), twin)
        };
        let (one, two) = (bake("022", "one", "1"), bake("077", "two/deeper", "3"));
        differs("the folder", &one.3.home(), &two.3.home());
        assert!(one.2 == two.2, "{transport}: the bytes of the archive differ");
        assert_eq!((one.0, one.1), (two.0, two.1), "{transport}");
        let mut tar = std::process::Command::new("tar");
        tar.arg("--list").arg("--file").arg(one.3.home().join("one/image.tar"));
        assert!(output(tar).starts_with(if transport == "oci-archive" { b"blobs/\n" } else { b"" }));
    }
}
