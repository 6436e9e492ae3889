//! Secrets in addresses: covered wherever text is shown. What an address means is left to others.

/// A text in which the user, the password and the query of every URL are asterisks. Each byte stays where it was, so that
/// places in the one text are places in the other.
#[must_use]
pub fn masked(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + "://".len());
        // A password may hold almost anything; the quotes and brackets around an address are no part of it.
        let end = url.find(char::is_whitespace).unwrap_or(url.len());
        let end = url.get(..end).map_or(end, |url| url.trim_end_matches(|c| "'\"`<>\\)],;".contains(c)).len());
        let (url, behind) = url.split_at(end);
        let (address, query) = url.split_at(url.find('?').unwrap_or(url.len()));
        let (user, address) = address.split_at(user(address));
        shown.push_str(before);
        cover(&mut shown, user, &[]);
        shown.push_str(address);
        cover(&mut shown, query, b"?&=");
        rest = behind;
    }
    shown + rest
}

/// How many bytes name a user. A password may hold a slash that nobody escaped; a path may hold an `@`.
fn user(address: &str) -> usize {
    let authority = address.split(['/', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let odd = !authority.starts_with('[') && port.bytes().any(|b| !b.is_ascii_digit() && !b"{}),;".contains(&b));
    let within = if odd { address } else { authority };
    within.rfind('@').unwrap_or(0)
}

fn cover(shown: &mut String, secret: &str, kept: &[u8]) {
    shown.extend(secret.bytes().map(|b| if kept.contains(&b) { char::from(b) } else { '*' }));
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_are_covered_and_nothing_else() {
        for (text, shown) in [
            (
                "url = \"https://me:s3cret@example.com/a?token=x1&b\"",
                "url = \"https://*********@example.com/a?*****=**&*\"",
            ),
            ("https://me:s3/cr@et@example.com/a", "https://***********@example.com/a"),
            ("https://tökén@example.com", "https://*******@example.com"),
            ("'http://a@b' and ssh://git@host/x", "'http://*@b' and ssh://***@host/x"),
            ("127.0.0.1 (http://127.0.0.1:80/x@1.tgz, 5 tries)", "127.0.0.1 (http://127.0.0.1:80/x@1.tgz, 5 tries)"),
            ("`http://me:it's3cret@host/x`, and", "`http://************@host/x`, and"),
            ("https://host/x?sig=ab<s3cret>x", "https://host/x?***=***********"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
            ("docker://localhost:5000/a/b@sha256:00", "docker://localhost:5000/a/b@sha256:00"),
            ("registry.example.com/a:1@sha256:00; ://", "registry.example.com/a:1@sha256:00; ://"),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(masked(text).len(), text.len());
        }
    }
}
