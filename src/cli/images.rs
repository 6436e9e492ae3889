//! Images that a user names on the command line, wherever they are.

use rebake::oci::ImageName;
use std::path::Path;

/// An image by its name: with a transport, or a bare path to an image layout.
pub fn image(text: &str) -> Result<ImageName, String> {
    if ["oci:", "oci-archive:", "docker-archive:", "docker://"].iter().any(|transport| text.starts_with(transport)) {
        return text.parse().map_err(|error| format!("{text}: {error}"));
    }
    let path = Path::new(text);
    if text.is_empty() {
        return Err("an empty name names no image".to_owned());
    }
    if path.is_dir() {
        return Ok(ImageName::layout(path.to_owned()));
    }
    if path.exists() {
        let known = format!("an archive is oci-archive:{text}, or docker-archive:{text} if `docker save` wrote it");
        return Err(format!("`{text}` is a file, and an image layout is a folder; {known}"));
    }
    if let Some((folder, _)) = text.split_once(':').filter(|(folder, _)| Path::new(folder).is_dir()) {
        return Err(format!("there is no folder `{text}`; an image of the layout `{folder}` is oci:{text}"));
    }
    let no_folder = format!("there is no folder `{text}`");
    match text.parse::<ImageName>() {
        Ok(_) if !text.starts_with(['.', '/']) => Err(format!("{no_folder}; in a registry it is docker://{text}")),
        _ => Err(no_folder),
    }
}

#[cfg(test)]
mod tests {
    use super::image;

    #[test]
    fn names_are_taken_or_explained() {
        assert_eq!(image("src").map(|name| name.to_string()), Ok("oci:src".to_owned()));
        assert_eq!(image("oci:src:v1").map(|name| name.tag), Ok(Some("v1".to_owned())));
        assert!(image("docker://localhost:5000/a:1").is_ok());
        for (text, wanted) in [
            ("", "an empty name"),
            ("Cargo.toml", "oci-archive:Cargo.toml"),
            ("src:latest", "oci:src:latest"),
            ("example.com/a:1", "docker://example.com/a:1"),
            ("./nowhere", "there is no folder `./nowhere`"),
            ("oci:", "names no path"),
            ("oci:src:-x", "is no tag"),
        ] {
            let message = image(text).expect_err(text);
            assert!(message.contains(wanted), "{text}: {message}");
        }
    }
}
