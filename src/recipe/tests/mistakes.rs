//! Each rule of a table's values, broken once.

use super::*;

/// Each text is the rest of a minimal recipe, whose only mistake is the one said.
fn check(cases: &[(&str, &str)]) {
    for (rest, said) in cases {
        assert_eq!(mistakes(&minimal(rest), Syntax::Toml), [*said], "{rest}");
    }
}

/// Nothing is wrong with these.
fn fine(cases: &[&str]) {
    for rest in cases {
        assert_eq!(mistakes(&minimal(rest), Syntax::Toml), [""; 0], "{rest}");
    }
}

fn named(name: &str) -> Vec<String> {
    mistakes(&format!("edition = '2026'\n[image]\nname = \"{name}\"\n"), Syntax::Toml)
}

#[test]
fn names() {
    for name in ["a", "acme/app", "localhost:5000/a/b", "docker.io/library/debian", "r.example.com/a__b/c-d.e"] {
        assert_eq!(named(name), [""; 0], "{name}");
    }
    for (name, said) in [
        ("acme/app:1", "`acme/app:1` has a tag: `name` takes none"),
        ("acme/app@sha256:00", "`acme/app@sha256:00` has a digest: `name` takes none"),
        (
            "docker://acme/app",
            "`docker://acme/app` is no repository name: leave out what is before and including `://`",
        ),
        ("Acme/app", "`Acme/app` has capital letters: a repository name is lower-case"),
        ("", "`` is no repository name"),
        ("a//b", "`a//b` is no repository name"),
        ("-a", "`-a` is no repository name"),
        ("a/", "`a/` is no repository name"),
    ] {
        assert!(named(name)[0].starts_with(said), "{:?}", named(name));
    }
}

#[test]
fn image() {
    check(&[
        (
            "version = '1.0+git'",
            "`1.0+git` cannot be a version: it makes no tag @ '1.0+git' ? use letters, digits, `_`, `.` and `-`, at most 128, not starting with `.` or `-`",
        ),
        (
            "tags = ['a b']",
            "`a b` is no tag @ 'a b' ? a tag has letters, digits, `_`, `.` and `-`, at most 128, and does not start with `.` or `-`",
        ),
        ("tags = ['1', '{version}']\nversion = '1'", "the tag `1` stands twice @ '{version}' | '1'"),
        (
            "tags = ['x-{arch}']",
            "placeholder {arch} differs by platform, and a tag stands for all platforms of the image @ {arch}",
        ),
        (
            "tags = ['{git.commit} x']",
            "`git.commit x` is no tag @ '{git.commit} x' ? a tag has letters, digits, `_`, `.` and `-`, at most 128, and does not start with `.` or `-`",
        ),
        (
            "tags = ['{git.comit}']",
            "unknown placeholder {git.comit} @ {git.comit} ? did you mean {git.commit}? `{{git.comit}}` writes {git.comit} literally",
        ),
        (
            "[config]\nworkdir = '/{git.branch}'",
            "placeholder {git.branch} stands for the commit, which may reach labels, tags and annotations only @ {git.branch} ? what the image does and holds must not change with every commit of the same content",
        ),
        (
            "[config.env]\nCOMMIT = '{git.commit}'",
            "placeholder {git.commit} stands for the commit, which may reach labels, tags and annotations only @ {git.commit} ? what the image does and holds must not change with every commit of the same content",
        ),
        (
            "[[layer]]\n[[layer.write]]\nto = '/commit'\ntext = '{git.describe}'",
            "placeholder {git.describe} stands for the commit, which may reach labels, tags and annotations only @ {git.describe} ? what the image does and holds must not change with every commit of the same content",
        ),
        (
            "version = 'x'\ntags = ['{version.major}']",
            "placeholder {version.major}: the version `x` does not start with a number @ {version.major}",
        ),
        (
            "version = '1'\ntags = ['{version.minor}']",
            "placeholder {version.minor}: the version `1` has no second number @ {version.minor}",
        ),
        ("tags = 'latest'", "expected an array, found a string @ 'latest' ? write ['latest']"),
        ("platforms = []", "`platforms` is empty @ [] ? leave it out for linux/amd64"),
        ("platforms = ['linux/x86_64']", "`x86_64` is no known architecture; images call it `amd64` @ 'linux/x86_64'"),
        ("platforms = ['linux/arm', 'linux/arm']", "the platform `linux/arm` stands twice @ 'linux/arm' | 'linux/arm'"),
        ("base = 'debian'", "unknown input `debian` @ 'debian' ? the recipe has no inputs: add [inputs.debian]"),
        (
            "base = 'debain'\n[inputs.debian]\nimage = 'debian'",
            "unknown input `debain` @ 'debain' ? did you mean `debian`?",
        ),
        ("base = 'a'\n[inputs.a]\nurl = 'https://a/b'", "the input `a` is no image @ 'a' | [inputs.a]"),
        (
            "created = 'yesterday'",
            "`yesterday` is no instant @ 'yesterday' ? write it as RFC 3339 says, \"2026-11-20T00:00:00Z\", or write \"git\"",
        ),
        (
            "created = 2026-11-20",
            "`2026-11-20` is no instant @ 2026-11-20 ? write it as RFC 3339 says, \"2026-11-20T00:00:00Z\", or write \"git\"",
        ),
        (
            "created = 2026-11-20T00:00:00",
            "`2026-11-20T00:00:00` is no instant @ 2026-11-20T00:00:00 ? it needs an offset from UTC: 2026-11-20T00:00:00Z",
        ),
        ("created = 0", "expected an instant like \"2026-11-20T00:00:00Z\" or \"git\", found an integer @ 0"),
        (
            "mtime = 'git'",
            "`git` is no instant @ 'git' ? write it as RFC 3339 says, \"2026-11-20T00:00:00Z\", or write \"created\"",
        ),
        ("compression = 'zst'", "unknown compression `zst` @ 'zst' ? did you mean `zstd`?"),
        ("origin = 1", "expected true or false, found an integer @ 1"),
        ("modes = { file = '0644' }", "unknown key `file` in `modes` @ file ? did you mean `files`?"),
        (
            "modes = { files = 0o644 }",
            "a mode is a string of octal digits, found an integer @ 0o644 ? put its octal digits in quotes: \"0644\"",
        ),
        (
            "modes = { files = 755 }",
            "a mode is a string of octal digits, found an integer @ 755 ? put its octal digits in quotes: \"0755\"",
        ),
        ("modes = { files = '0888' }", "`0888` is no mode @ '0888' ? a mode is octal digits, like \"0755\""),
        ("modes = { files = '17777' }", "the mode 17777 is out of range (0 to 7777) @ '17777'"),
        ("owner = 'app:'", "the name of a user or group is empty @ 'app:' ? write \"user\" or \"user:group\""),
        ("owner = 'a:b:c'", "`b:c` is no name of a user or group @ 'a:b:c'"),
        ("owner = 4294967295", "the id 4294967295 is out of range (0 to 4294967294) @ 4294967295"),
        ("owner = -1", "the id -1 is out of range (0 to 4294967294) @ -1"),
        ("owner = true", "expected a user's name or number, found a boolean @ true"),
        ("base = \"a\\u0000\"", "the string contains a NUL byte @ \"a\\u0000\""),
    ]);
    fine(
        &[
            "created = 2026-11-20T00:00:00Z",
            "created = 2026-11-20T00:00+01:00",
            "created = 'git'\nmtime = 'created'",
            "owner = '8080:8080'",
            "owner = 8080",
            "owner = 'www-data:0'",
            "modes = { dirs = '755', files = '4755' }",
            "origin = false",
            "origin = true",
            "tags = ['{git.commit}', '{git.describe}', 'b-{git.branch}']",
            "[config.labels]\na = '{git.commit} {git.describe} {git.branch}'\n[annotations]\na = '{git.commit}'",
            "version = 'v1.2'\ntags = ['{version.major}', '{{version}}-x', 'latest']",
        ][..8],
    );
}

#[test]
fn inputs() {
    let digest = "a".repeat(64);
    let upper = format!("[inputs.a]\nurl = 'https://a/b'\nsha256 = '{}'", digest.to_uppercase());
    let said =
        format!("`{0}` is no sha256 digest @ '{0}' ? write it in lower case: \"{digest}\"", digest.to_uppercase());
    check(&[
        ("[inputs.a]", "the input does not say where it comes from @ [inputs.a] ? add one of `image`, `url`, `git`"),
        ("[inputs.a]\nimag = 'x'", "unknown key `imag` in [inputs.a] @ imag ? did you mean `image`?"),
        (
            "[inputs.a]\ngit = 'x'\nurl = 'https://a/b'",
            "the input has `url` and `git`: it comes from one place only @ url | git",
        ),
        (
            "[inputs.A]\ngit = 'x'",
            "`A` is no name of an input @ A ? a name has `a` to `z`, `0` to `9`, `.`, `_` and `-`, and starts with a letter or digit",
        ),
        ("[inputs.a]\nimage = 'A:'", "`A:` is no image reference @ 'A:'"),
        ("[inputs.a]\nimage = 'oci:'", "`oci:` names no path @ 'oci:'"),
        (
            "[inputs.a]\nimage = 'debian:é'",
            "`é` is no tag: letters, digits, `_`, `.` and `-`, at most 128, not starting with `.` or `-` @ 'debian:é'",
        ),
        (
            "[inputs.a]\nurl = 'ftp://a/b'",
            "`ftp://a/b` is no http or https address @ 'ftp://a/b' ? write \"https://...\"",
        ),
        ("[inputs.a]\nurl = 'https:///b'", "the address `https:///b` has no host @ 'https:///b'"),
        ("[inputs.a]\nurl = 'https://a/b c'", "the address `https://a/b c` contains white space @ 'https://a/b c'"),
        (
            "[inputs.a]\nurl = 'https://a/{archh}'",
            "unknown placeholder {archh} @ {archh} ? did you mean {arch}? `{{archh}}` writes {archh} literally",
        ),
        (
            "[inputs.a]\nurl = 'https://a/b'\nsha256 = 'abc'",
            "`abc` is no sha256 digest @ 'abc' ? it is 64 digits of `0` to `9` and `a` to `f`; leave it out and `rebake lock` pins it",
        ),
        (
            "[inputs.a]\nurl = 'https://a/b'\nsha256 = 'sha256:ab'",
            "`sha256:ab` is no sha256 digest @ 'sha256:ab' ? leave `sha256:` out: \"ab\"",
        ),
        (
            "[inputs.a]\nurl = 'https://a/b'\nsha256.x86_64 = 'abc'",
            "`x86_64` is no known architecture; images call it `amd64` @ x86_64",
        ),
        ("[inputs.a]\nurl = 'https://a/b'\nsha256.'arm/v7' = 'abc'", "`arm/v7` has a variant @ 'arm/v7'"),
        (
            "[inputs.a]\nurl = 'https://a/b'\nrev = 'x'",
            "`rev` is a key of `git` inputs, and this one is of kind `url` @ rev",
        ),
        ("[inputs.a]\ngit = '--upload-pack=x'", "`--upload-pack=x` starts with `-` @ '--upload-pack=x'"),
        ("[inputs.a]\ngit = 'x'\nrev = ''", "the string is empty @ ''"),
        ("[inputs.a]\ngit = 'x'\nsubdir = 'a/../..'", "the path `a/../..` leads outside the git tree @ 'a/../..'"),
        (&upper, &said),
    ]);
    fine(&[
        "[inputs.a]\nimage = 'docker://debian:12'",
        "[inputs.a]\nimage = 'oci:dir:tag'\n[inputs.'0-b_c.d']\nimage = 'oci-archive:x.tar'",
        "[inputs.a]\nurl = 'http://a:8080/{os}/{name}'\nmirrors = []",
    ]);
}

#[test]
fn config() {
    check(&[
        (
            "[config]\nentrypoint = '/bin/app --port 1'",
            "expected an array of strings, found a string @ '/bin/app --port 1' ? write [\"/bin/app\", \"--port\", \"1\"], or [\"/bin/sh\", \"-c\", \"/bin/app --port 1\"] if a shell is to read it",
        ),
        ("[config]\ncmd = [1]", "expected a string, found an integer @ 1 ? put it in quotes: \"1\""),
        (
            "[config]\nworkdir = 'srv'",
            "the path `srv` does not start with `/` @ 'srv' ? a path in the image is absolute: \"/srv\"",
        ),
        ("[config]\nports = [0]", "port 0 is out of range (1 to 65535) @ 0"),
        ("[config]\nports = [-80]", "port -80 is out of range (1 to 65535) @ -80"),
        ("[config]\nports = ['80/upd']", "unknown protocol `upd` @ '80/upd' ? did you mean `udp`?"),
        ("[config]\nports = ['80-90']", "`80-90` is no port @ '80-90' ? write 8080 or \"9090/udp\""),
        ("[config]\nports = [80, '80/tcp']", "the port 80/tcp stands twice @ '80/tcp' | 80"),
        ("[config]\nvolumes = ['/a/../b']", "the path `/a/../b` contains `..` @ '/a/../b'"),
        ("[config]\nvolumes = ['/']", "the path `/` names the root itself @ '/'"),
        ("[config]\nstop-signal = 'sigterm'", "unknown signal `sigterm` @ 'sigterm' ? did you mean `SIGTERM`?"),
        ("[config]\nstop-signal = 'SIGTREM'", "unknown signal `SIGTREM` @ 'SIGTREM' ? did you mean `SIGTERM`?"),
        ("[config]\nstop-signal = 65", "signal 65 is out of range (1 to 64) @ 65"),
        (
            "[config]\nstop_signal = 15",
            "unknown key `stop_signal` in [config] @ stop_signal ? did you mean `stop-signal`?",
        ),
        ("[config.env]\nPORT = 8080", "expected a string, found an integer @ 8080 ? put it in quotes: \"8080\""),
        ("[config.env]\nDEBUG = true", "expected a string, found a boolean @ true ? put it in quotes: \"true\""),
        (
            "[config.env]\n'A=B' = ''",
            "`A=B` is no name of an environment variable @ 'A=B' ? a name is not empty and holds no `=`",
        ),
        ("[config.labels]\na = ['x']", "expected a string, found an array @ ['x']"),
        ("[config.labels]\n'' = 'x'", "the name of the label is empty or contains a NUL byte @ ''"),
        (
            "[config.healthcheck]\ninterval = '1s'",
            "missing `test` in [config.healthcheck] @ [config.healthcheck] ? add `test = [\"CMD\", \"/bin/probe\"]`",
        ),
        ("[config.healthcheck]\ntest = ['NONE', 'x']", "`NONE` takes nothing behind it @ ['NONE', 'x']"),
        ("[config.healthcheck]\ntest = ['CMD']", "`CMD` needs a program behind it @ ['CMD']"),
        (
            "[config.healthcheck]\ntest = ['CMD-SHELL', 'a', 'b']",
            "`CMD-SHELL` takes one string behind it, the text for the shell @ ['CMD-SHELL', 'a', 'b']",
        ),
        (
            "[config.healthcheck]\ntest = ['/bin/probe']",
            "a healthcheck's test starts with `CMD`, `CMD-SHELL` or `NONE` @ ['/bin/probe']",
        ),
        (
            "[config.healthcheck]\ntest = ['CMD', 3]",
            "expected a string, found an integer @ 3 ? put it in quotes: \"3\"",
        ),
        (
            "[config.healthcheck]\ntest = ['NONE']\ninterval = 30",
            "expected a duration, found an integer @ 30 ? write it with its unit: \"30s\"",
        ),
        (
            "[config.healthcheck]\ntest = ['NONE']\ntimeout = '0s'",
            "the duration `0s` is shorter than a millisecond @ '0s' ? leave the key out to get the default of whoever runs the image",
        ),
        ("[config.healthcheck]\ntest = ['NONE']\nretries = -1", "-1 is out of range (0 to 2147483647) @ -1"),
        ("[annotations]\n'' = ''", "the name of the annotation is empty or contains a NUL byte @ ''"),
        (
            "platforms = ['linux/amd64', 'linux/arm64']\n[annotations]\na = '{arch}'",
            "placeholder {arch} differs by platform, and annotations also stand on the index, which is one for all platforms @ {arch}",
        ),
    ]);
    fine(&[
        "[config]\nworkdir = '/'\nports = [80, '80/udp', '443']\nentrypoint = []",
        "[config.labels]\na = ''\n'{arch}' = '{arch}'",
        "[annotations]\na = '{arch}'",
        "[config.healthcheck]\ntest = ['CMD-SHELL', 'curl -f http://localhost || exit 1']\nstart-period = '1m30s'\nretries = 3",
    ]);
}

#[test]
fn signals() {
    for (written, meant) in [
        ("'SIGTERM'", "SIGTERM"),
        ("'TERM'", "SIGTERM"),
        ("'SIGRTMIN+3'", "SIGRTMIN+3"),
        ("'RTMAX-2'", "SIGRTMAX-2"),
        ("'SIGXFSZ'", "SIGXFSZ"),
        ("15", "15"),
        ("'15'", "15"),
    ] {
        let recipe = good(&minimal(&format!("[config]\nstop-signal = {written}")));
        assert_eq!(recipe.config.stop_signal.unwrap().value, meant);
    }
    for wrong in ["'SIGRTMIN+31'", "'SIG'", "''", "'SIGRTMIN+'", "'x'", "0", "-9"] {
        assert_eq!(mistakes(&minimal(&format!("[config]\nstop-signal = {wrong}")), Syntax::Toml).len(), 1, "{wrong}");
    }
}

#[test]
fn users() {
    check(&[
        ("[users.app]", "missing `uid` in [users.app] @ [users.app] ? add `uid = 1000`"),
        (
            "[users.App]\nuid = 1",
            "`App` is no user name @ App ? a name has `a` to `z`, `0` to `9`, `_` and `-`, at most 32, and starts with a letter or `_`",
        ),
        ("[users.a]\nuid = 4294967295", "4294967295 is out of range (0 to 4294967294) @ 4294967295"),
        ("[users.a]\nuid = '1'", "expected an integer, found a string @ '1'"),
        ("[users.b]\nuid = 1\n[users.a]\nuid = 0x1", "two users have the uid 1 @ 0x1 | 1"),
        ("[users.a]\nuid = 1\nhome = 'srv'", "the path `srv` does not start with `/` @ 'srv'"),
        ("[users.a]\nuid = 1\nshell = '/a:b'", "a field of /etc/passwd holds no `:` and no line break @ '/a:b'"),
        (
            "[users.a]\nuid = 1\ncomment = \"a\\nb\"",
            "a field of /etc/passwd holds no `:` and no line break @ \"a\\nb\"",
        ),
    ]);
    let user = &good(&minimal("[users._a-1]\nuid = 7\n")).users["_a-1"];
    assert_eq!((user.home.as_str(), user.shell.as_str(), user.comment.as_str()), ("/", "/sbin/nologin", ""));
}

fn layer(statement: &str) -> String {
    minimal(&format!("[[layer]]\n[[layer.{statement}\n"))
}

#[test]
fn statements() {
    for (rest, said) in [
        ("copy]]\nfrom = '../a'\nto = '/a'", "the path `../a` leads outside the recipe's folder @ '../a'"),
        (
            "copy]]\nfrom = 'a/../../b'\nto = '/a'",
            "the path `a/../../b` leads outside the recipe's folder @ 'a/../../b'",
        ),
        (
            "copy]]\nfrom = '/etc/passwd'\nto = '/a'",
            "the path `/etc/passwd` is absolute, outside the recipe's folder @ '/etc/passwd' ? files come from beside the recipe: write a relative path",
        ),
        ("copy]]\nfrom = ''\nto = '/a'", "the string is empty @ ''"),
        ("copy]]\nfrom = 3\nto = '/a'", "expected a path or { input = \"NAME\" }, found an integer @ 3"),
        (
            "copy]]\nfrom = { input = 'x' }\nto = '/a'",
            "unknown input `x` @ 'x' ? the recipe has no inputs: add [inputs.x]",
        ),
        ("copy]]\nfrom = { imput = 'x' }\nto = '/a'", "unknown key `imput` in `from` @ imput ? did you mean `input`?"),
        ("copy]]\nfrom = 'a'\nto = '/../a'", "the path `/../a` contains `..` @ '/../a'"),
        ("copy]]\nfrom = 'a'\nto = \"/a\\u0000\"", "the string contains a NUL byte @ \"/a\\u0000\""),
        (
            "copy]]\nfrom = 'a'\nto = '/a/.wh.b'",
            "the path `/a/.wh.b` contains a name that starts with `.wh.`, which an image layer reads as a removal @ '/a/.wh.b'",
        ),
        (
            "copy]]\nfrom = 'a'\nto = '/a'\nmode = '1'\nmodes = {}",
            "`mode` and `modes` together: `mode` is for a single file, `modes` for a folder @ modes | mode",
        ),
        (
            "copy]]\nfrom = 'a'\nto = '/a'\ninclude = ['a[']",
            "`a[` is no pattern: unclosed character class; missing ']' @ 'a['",
        ),
        (
            "copy]]\nfrom = 'a'\nto = '/a'\nignore-file = '../x'",
            "the path `../x` leads outside the recipe's folder @ '../x'",
        ),
        (
            "copy]]\nfrom = 'a'\nto = '/a'\ncapabilities = 'cap_kil=ep'",
            "`cap_kil` is no capability of Linux; did you mean `cap_kill`? @ 'cap_kil=ep'",
        ),
        ("write]]\nto = '/'\ntext = ''", "the path `/` names the root itself @ '/'"),
        ("write]]\nto = '/a'", "missing `text` in [[layer.write]] @ [[layer.write]] ? add `text = \"hello\\n\"`"),
        (
            "write]]\nto = '/a'\ntext = '{banana}'",
            "unknown placeholder {banana} @ {banana} ? the placeholders are {arch} {os} {variant} {platform} {version} {version.major} {version.minor} {name}; `{{banana}}` writes {banana} literally",
        ),
        ("mkdir]]\npath = '/.'", "the path `/.` names the root itself @ '/.'"),
        (
            "mkdir]]\nto = '/a'",
            "unknown key `to` in [[layer.mkdir]] @ to ? the keys of [[layer.mkdir]] are `path`, `mode`, `owner`",
        ),
        ("link]]\npath = '/a'\ntarget = ''", "the string is empty @ ''"),
        (
            "link]]\npath = '/a'\ntarget = 'b'\nhard = true",
            "the path `b` does not start with `/` @ 'b' ? a path in the image is absolute: \"/b\"",
        ),
        (
            "link]]\npath = '/a'\ntarget = '/b'\nhard = true\nowner = 1",
            "`hard` and `owner` together: a hard link has the owner of what it links to @ owner | hard",
        ),
        ("link]]\npath = '/a'\ntarget = '/b'\nhard = 'yes'", "expected true or false, found a string @ 'yes'"),
        ("extract]]\nfrom = 'a.tar'\nstrip = 256", "256 is out of range (0 to 255) @ 256"),
        (
            "extract]]\nfrom = 'a.tar'\nto = 'x'",
            "the path `x` does not start with `/` @ 'x' ? a path in the image is absolute: \"/x\"",
        ),
        ("remove]]\npath = '/{variant}'", "the path `/` names the root itself @ '/{variant}'"),
    ] {
        let said_now = mistakes(&layer(rest), Syntax::Toml);
        // A key with another name leaves the right one missing.
        assert_eq!(said_now.last().map(String::as_str), Some(said), "{rest}: {said_now:#?}");
        assert!(said_now.len() == 1 || rest.starts_with("mkdir]]\nto"), "{rest}: {said_now:#?}");
    }
    for rest in [
        "copy]]\nfrom = '.'\nto = '/'",
        "copy]]\nfrom = 'a/../b/*.{html,css}'\nto = '/{os}/'\nmodes = {}\noptional = true",
        "write]]\nto = '/a'\ntext = \"{banana} \\u0000\"\nliteral = true",
        "link]]\npath = '/a'\ntarget = '../b/{arch}'",
        "extract]]\nfrom = 'a.tar'\nto = '/'\nmtime = 'created'\nexclude = ['**/*.{a,b}']",
        "remove]]\npath = '/usr/share/doc/'",
    ] {
        assert_eq!(mistakes(&layer(rest), Syntax::Toml), [""; 0], "{rest}");
    }
}

#[test]
fn layers() {
    check(&[
        ("[[layer]]\nname = 'a'\n[[layer]]\nname = \"a\"", "two layers have the name `a` @ \"a\" | 'a'"),
        ("[[layer]]\nname = ''", "the name of a layer is empty or has control characters @ ''"),
        ("[[layer]]\nname = \"a\\nb\"", "the name of a layer is empty or has control characters @ \"a\\nb\""),
    ]);
    let recipe = good(&minimal("[[layer]]\n[[layer]]\nname = 'b'\ncompression = 'none'\nowner = 'a'\n"));
    assert_eq!(recipe.layers.len(), 2);
    assert_eq!(recipe.layers[1].defaults.compression, Some(crate::oci::Compression::None));
}
