//! `[config]` and `[annotations]`.

use super::context::Context;
use super::read;
use super::suggest::{did_you_mean, nearest};
use super::table::Table;
use super::value::{Kind, Node};
use super::{Config, Diagnostic, Port, Spanned, Template};
use super::{healthcheck, owner, path};
use std::collections::BTreeMap;

/// Reads `[config]`.
pub(super) fn config(node: Node, cx: &mut Context<'_>) -> Option<Config> {
    let mut table = Table::open(node, "[config]", cx)?;
    let config = Config {
        entrypoint: table.optional("entrypoint", cx, words),
        cmd: table.optional("cmd", cx, words),
        user: table.optional("user", cx, owner::owner),
        workdir: table.optional("workdir", cx, path::in_image_or_root),
        ports: table.optional("ports", cx, ports).unwrap_or_default(),
        volumes: table.optional("volumes", cx, read::array(path::in_image)).unwrap_or_default(),
        stop_signal: table.optional("stop-signal", cx, stop_signal),
        env: table.optional("env", cx, env).unwrap_or_default(),
        labels: table.optional("labels", cx, labels("label", None)).unwrap_or_default(),
        healthcheck: table.optional("healthcheck", cx, healthcheck::healthcheck),
    };
    table.finish(cx);
    Some(config)
}

/// A program and its arguments.
pub(super) fn words(node: Node, cx: &mut Context<'_>) -> Option<Vec<Spanned<Template>>> {
    if let Kind::String(text) = &node.kind {
        let words = text.split_whitespace().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let mistake = Diagnostic::at(node.span, "expected an array of strings, found a string");
        let help = format!("write [{words}], or [\"/bin/sh\", \"-c\", {text:?}] if a shell is to read it");
        return cx.reject(mistake.help(help));
    }
    read::array(read::template)(node, cx)
}

fn ports(node: Node, cx: &mut Context<'_>) -> Option<Vec<Spanned<Port>>> {
    let ports = read::array(|node, cx: &mut Context<'_>| match node.kind {
        Kind::Integer(number) => {
            cx.placed(node.span, port(&number.to_string())).map(|port| Spanned::new(port, node.span))
        }
        Kind::String(_) => read::parsed(port)(node, cx),
        _ => cx.mismatch("a port like 8080 or \"9090/udp\"", &node),
    })(node, cx)?;
    cx.unique(&ports, |&port| port, |port| format!("the port {}/{} stands twice", port.number, port.protocol));
    Some(ports)
}

fn port(text: &str) -> Result<Port, Diagnostic> {
    const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];
    let (digits, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let mistake = Diagnostic::new(format!("`{}` is no port", text));
        return Err(mistake.help("write 8080 or \"9090/udp\""));
    }
    let Some(number) = digits.parse().ok().filter(|&number| number > 0) else {
        return Err(Diagnostic::new(format!("port {digits} is out of range (1 to 65535)")));
    };
    match PROTOCOLS.into_iter().find(|&known| known == protocol) {
        Some(protocol) => Ok(Port { number, protocol }),
        None => {
            let mistake = Diagnostic::new(format!("unknown protocol `{}`", protocol));
            let near = did_you_mean(protocol, PROTOCOLS);
            Err(mistake.help(near.unwrap_or_else(|| "the protocols are `tcp`, `udp` and `sctp`".to_owned())))
        }
    }
}

/// The signals of Linux (signal(7)) that have names of their own.
const SIGNALS: [&str; 35] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMIN",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
];

fn stop_signal(node: Node, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    match node.kind {
        Kind::Integer(number) => {
            cx.placed(node.span, signal(&number.to_string())).map(|signal| Spanned::new(signal, node.span))
        }
        Kind::String(_) => read::parsed(signal)(node, cx),
        _ => cx.mismatch("a signal like \"SIGTERM\" or 15", &node),
    }
}

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`; a name gets its `SIG`, as the image specification writes it.
fn signal(text: &str) -> Result<String, Diagnostic> {
    if text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        return match text.parse::<u8>() {
            Ok(number @ 1..=64) => Ok(number.to_string()),
            _ => Err(Diagnostic::new(format!("signal {text} is out of range (1 to 64)"))),
        };
    }
    let name = if text.starts_with("SIG") { text.to_owned() } else { format!("SIG{text}") };
    // There are 31 real-time signals beside the first and the last.
    let offset = name.strip_prefix("SIGRTMIN+").or_else(|| name.strip_prefix("SIGRTMAX-"));
    let real_time = offset.and_then(|offset| offset.parse::<u8>().ok()).is_some_and(|offset| offset <= 30);
    if SIGNALS.contains(&name.as_str()) || name == "SIGXFSZ" || real_time {
        return Ok(name);
    }
    let mistake = Diagnostic::new(format!("unknown signal `{}`", text));
    let upper = text.to_ascii_uppercase();
    let near =
        if upper.starts_with("SIG") { nearest(&upper, SIGNALS) } else { nearest(&format!("SIG{upper}"), SIGNALS) };
    Err(match near {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake,
    })
}

fn env(node: Node, cx: &mut Context<'_>) -> Option<BTreeMap<String, Spanned<Template>>> {
    read::map(|key, node, cx| {
        let value = read::template(node, cx);
        if key.is_empty() || key.contains(['=', '\0']) {
            let message = format!("`{}` is no name of an environment variable", key.value);
            return cx.reject(Diagnostic::at(key.span, message).help("a name is not empty and holds no `=`"));
        }
        Some((key.value.clone(), value?))
    })(node, cx)
}

/// Labels and annotations: any text under any name.
pub(super) fn labels(
    what: &'static str,
    no_platform: Option<&'static str>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<BTreeMap<String, Spanned<Template>>> {
    read::map(move |key, node, cx| {
        let value = read::string(node, cx).and_then(|text| cx.stamped_template(&text, no_platform));
        if key.is_empty() || key.contains('\0') {
            let message = format!("the name of the {what} is empty or contains a NUL byte");
            return cx.reject(Diagnostic::at(key.span, message));
        }
        Some((key.value.clone(), value?))
    })
}
