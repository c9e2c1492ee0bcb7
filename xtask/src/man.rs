//! Manual pages from the documentation: `rtnotify(4)` from `docs/abi.md` and `rtnotify_producer(9)` from
//! `docs/producer.md`, whose synopsis is what the C header declares.
//!
//! The pages use the `man` macros and `tbl`; tests have groff check them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::{cache, paths};

/// A page to make.
struct Page {
    name: &'static str,
    section: u8,
    /// Its NAME section after the dash.
    summary: &'static str,
    /// The documentation, below the root.
    source: &'static str,
    /// The header that declares what the page describes.
    header: Option<&'static str>,
    /// Lines of its SYNOPSIS.
    synopsis: &'static str,
    see_also: &'static str,
}

const PAGES: [Page; 2] = [
    Page {
        name: "rtnotify",
        section: 4,
        summary: "queued realtime signals with payload handles",
        source: "docs/abi.md",
        header: None,
        synopsis: "#include <fcntl.h>\n#include <sys/ioctl.h>\n#include \"rtnotify.h\"\n\n\
                   int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_CLOEXEC);\n\
                   int ioctl(int fd, RTNOTIFY_IOC_..., void *argument);",
        see_also: ".BR ioctl (2),\n.BR poll (2),\n.BR pread (2),\n.BR signalfd (2),\n\
                   .BR sigwaitinfo (2),\n.BR signal (7),\n.BR rtnotify_producer (9)\n",
    },
    Page {
        name: "rtnotify_producer",
        section: 9,
        summary: "post events from a kernel driver",
        source: "docs/producer.md",
        header: Some("notify-kmod/include/rtnotify_producer.h"),
        synopsis: "#include \"rtnotify_producer.h\"",
        see_also: ".BR rtnotify (4)\n",
    },
];

/// Writes the pages below Cargo's target directory, where `man -M` finds them; their paths.
pub(crate) fn command() -> Result<Vec<PathBuf>> {
    write_pages(&paths::target().join("man"))
}

fn write_pages(directory: &Path) -> Result<Vec<PathBuf>> {
    PAGES
        .iter()
        .map(|page| {
            let folder = directory.join(format!("man{}", page.section));
            fs::create_dir_all(&folder)
                .with_context(|| format!("creating {}", folder.display()))?;
            let path = folder.join(format!("{}.{}", page.name, page.section));
            cache::write_atomically(&path, render(page)?.as_bytes())?;
            Ok(path)
        })
        .collect()
}

fn read(name: &str) -> Result<String> {
    let path = paths::clean_root().join(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// One page, complete.
fn render(page: &Page) -> Result<String> {
    let prototypes = match page.header {
        Some(header) => prototypes(&read(header)?),
        None => Vec::new(),
    };
    ensure!(
        page.header.is_none() || !prototypes.is_empty(),
        "{}: no function is declared",
        page.source
    );
    let mut names: Vec<&str> = prototypes.iter().filter_map(|p| declared(p)).collect();
    if !names.contains(&page.name) {
        names.insert(0, page.name);
    }
    let mut synopsis = page.synopsis.to_owned();
    for prototype in &prototypes {
        synopsis += "\n\n";
        synopsis += prototype;
    }

    let mut out = String::from("'\\\" t\n");
    writeln!(
        out,
        ".\\\" Made from {} by `cargo xtask man`; do not edit.",
        page.source
    )?;
    writeln!(
        out,
        ".TH {} {} \"\" \"rtnotify {}\" \"rtnotify\"",
        page.name.to_uppercase(),
        page.section,
        env!("CARGO_PKG_VERSION")
    )?;
    // Neither hyphens nor stretched lines: most lines hold names that must stay as they are.
    out += ".ad l\n.nh\n";
    writeln!(out, ".SH NAME\n{} \\- {}", names.join(", "), page.summary)?;
    writeln!(out, ".SH SYNOPSIS\n.nf\n{}.fi", verbatim(&synopsis, true))?;
    out += ".SH DESCRIPTION\n";
    out += &body(&read(page.source)?);
    writeln!(out, ".SH \"SEE ALSO\"\n{}", page.see_also.trim_end())?;
    Ok(out)
}

/// The function prototypes in a C header.
fn prototypes(header: &str) -> Vec<String> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code += before;
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code += rest;
    code.split("\n\n")
        .map(str::trim)
        .filter(|part| {
            part.ends_with(';') && !part.contains(['{', '#']) && declared(part).is_some()
        })
        .map(str::to_owned)
        .collect()
}

/// The name of the function that a prototype declares.
fn declared(prototype: &str) -> Option<&str> {
    if prototype.starts_with("typedef") {
        return None;
    }
    let before = prototype.split_once('(')?.0;
    before.rsplit([' ', '*', '\n']).next()
}

/// Documentation as text with `man` macros.
fn body(markdown: &str) -> String {
    let mut renderer = Renderer::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        renderer.event(event);
    }
    renderer.out
}

#[derive(Default)]
struct Renderer {
    out: String,
    /// Text of the paragraph, heading or cell that is being read.
    text: String,
    /// For each open list the number of its next item, if they are numbered.
    lists: Vec<Option<u64>>,
    /// A paragraph of an item that is not the first.
    continued: bool,
    code_block: bool,
    row: Vec<String>,
    /// Where links that name a place lead.
    links: Vec<String>,
}

impl Renderer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code_block => self.text += &text,
            Event::Text(text) => self.text += &escape(&text, false),
            Event::Code(code) => {
                self.text += &format!("\\fB{}\\fR", escape(&code, true));
            }
            Event::SoftBreak => self.text.push('\n'),
            Event::HardBreak => self.text += "\n.br\n",
            Event::Rule => self.out += ".PP\n",
            // The documentation has none of the others.
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Emphasis => self.text += "\\fI",
            Tag::Strong => self.text += "\\fB",
            Tag::Link { dest_url, .. } => self.links.push(dest_url.into_string()),
            Tag::CodeBlock(_) => self.code_block = true,
            Tag::List(first) => {
                self.flush_item();
                if !self.lists.is_empty() {
                    self.out += ".RS\n";
                }
                self.lists.push(first);
            }
            Tag::Item => {
                let label = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. 4", *number - 1)
                    }
                    _ => "\\(bu 2".to_owned(),
                };
                self.out += &format!(".IP {label}\n");
                self.continued = false;
            }
            Tag::Table(columns) => {
                // All but the last column are as wide as their longest cell.
                let last = columns.len().saturating_sub(1);
                self.out += ".PP\n.TS\n";
                self.out += &"l ".repeat(last);
                self.out += "lx.\n";
            }
            Tag::TableHead | Tag::TableRow => self.row.clear(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis | TagEnd::Strong => self.text += "\\fR",
            TagEnd::Link => {
                // A place within the documentation means nothing here.
                if let Some(url) = self.links.pop().filter(|url| url.contains("://")) {
                    self.text += &format!(" <{}>", escape(&url, true));
                }
            }
            TagEnd::Heading(level) => {
                let text = std::mem::take(&mut self.text)
                    .replace("\\fB", "")
                    .replace("\\fR", "");
                match level {
                    // The page has a NAME instead.
                    HeadingLevel::H1 => {}
                    HeadingLevel::H2 => self.out += &format!(".SH \"{}\"\n", text.to_uppercase()),
                    _ => self.out += &format!(".SS \"{text}\"\n"),
                }
            }
            TagEnd::Paragraph if self.lists.is_empty() => {
                self.out += ".PP\n";
                self.flush();
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush_item(),
            TagEnd::List(_) => {
                self.lists.pop();
                if !self.lists.is_empty() {
                    self.out += ".RE\n";
                }
            }
            TagEnd::CodeBlock => {
                self.code_block = false;
                let code = std::mem::take(&mut self.text);
                self.out += &format!(".PP\n.in +4n\n.nf\n{}.fi\n.in\n", verbatim(&code, false));
            }
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.text)),
            // The tables without headings have empty ones.
            TagEnd::TableHead if self.row.iter().all(String::is_empty) => {}
            TagEnd::TableHead => {
                for cell in &mut self.row {
                    *cell = format!("\\fI{cell}\\fR");
                }
                self.flush_row();
            }
            TagEnd::TableRow => self.flush_row(),
            TagEnd::Table => self.out += ".TE\n",
            _ => {}
        }
    }

    fn flush(&mut self) {
        for line in std::mem::take(&mut self.text).lines() {
            self.out += &protect(line);
            self.out.push('\n');
        }
    }

    fn flush_item(&mut self) {
        if self.text.is_empty() {
            return;
        }
        if self.continued {
            self.out += ".IP\n";
        }
        self.continued = true;
        self.flush();
    }

    fn flush_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        let last = row.len().saturating_sub(1);
        for (column, cell) in row.iter().enumerate() {
            if column < last {
                self.out += &format!("{}\t", protect(cell));
            } else {
                // Only a text block is broken into lines.
                self.out += &format!("T{{\n{}\nT}}\n", protect(cell));
            }
        }
    }
}

/// Text that groff shows as it is. In code, characters that typography has better ones for stay what they are.
fn escape(text: &str, code: bool) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out += "\\e",
            '-' if code => out += "\\-",
            '\'' if code => out += "\\(aq",
            '`' if code => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            '"' => out += "\\(dq",
            ' '..='~' | '\n' | '\t' => out.push(character),
            other => out += &format!("\\[u{:04X}]", u32::from(other)),
        }
    }
    out
}

/// A line that does not pass for a macro.
fn protect(line: &str) -> String {
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line.to_owned()
    }
}

/// Lines of code, bold as in a synopsis or not.
fn verbatim(code: &str, bold: bool) -> String {
    let mut out = String::new();
    for line in code.lines() {
        // groff's tabs are narrower.
        let line = escape(&line.replace('\t', "        "), true);
        if bold && !line.is_empty() {
            out += &format!("\\fB{line}\\fR\n");
        } else {
            out += &protect(&line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What groff makes of a page; it must not complain.
    fn groff(path: &Path) -> String {
        let output = Command::new("groff")
            .args([
                "-t",
                "-man",
                "-ww",
                "-Tutf8",
                "-P-c",
                "-P-b",
                "-P-u",
                "-rLL=100n",
            ])
            .arg(path)
            .output()
            .expect("groff, which this test needs; `cargo xtask test` provides it");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{}: {complaints}",
            path.display()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Text without regard to where lines end.
    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn groff_has_no_complaints_about_any_page() {
        let directory = tempfile::tempdir().unwrap();
        let pages = write_pages(directory.path()).unwrap();
        assert_eq!(pages.len(), 2);
        assert!(pages[0].ends_with("man4/rtnotify.4"));
        assert!(pages[1].ends_with("man9/rtnotify_producer.9"));
        for page in &pages {
            let shown = groff(page);
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"] {
                assert!(shown.lines().any(|line| line == section), "{section}");
            }
        }
    }

    #[test]
    fn pages_say_what_the_documentation_says() {
        let directory = tempfile::tempdir().unwrap();
        let pages = write_pages(directory.path()).unwrap();
        let device = words(&groff(&pages[0]));
        for heading in read("docs/abi.md").unwrap().lines() {
            if let Some(heading) = heading.strip_prefix("## ") {
                let heading = heading.replace('`', "").to_uppercase();
                assert!(device.contains(&heading), "{heading}");
            }
        }
        for errno in ["ENOTTY unknown command", "E2BIG longer than known"] {
            assert!(device.contains(errno), "{errno}: {device}");
        }
        let producer = words(&groff(&pages[1]));
        let header = read("notify-kmod/include/rtnotify_producer.h").unwrap();
        assert!(prototypes(&header).len() >= 4);
        for prototype in prototypes(&header) {
            assert!(producer.contains(&words(&prototype)), "{prototype}");
        }
        assert!(producer.contains("irqreturn_t adc_irq(int irq, void *data)"));
    }

    #[test]
    fn prototypes_are_found_among_other_things() {
        let header = "#ifndef X\n\nstruct a;\n\n/* int no(void); */\nint f(int a,\n      int b);\n\n\
                      typedef int (*t)(void);\n\nstruct b {\n\tint (*g)(void);\n};\n\n\
                      struct a *h(void);\n\n#endif\n";
        assert_eq!(
            prototypes(header),
            ["int f(int a,\n      int b);", "struct a *h(void);"]
        );
        assert_eq!(declared("struct a *h(void);"), Some("h"));
    }

    #[test]
    fn nothing_passes_for_a_macro_or_an_escape() {
        let text =
            body(".dot\n'quote\n\n- a\n\n  b\n- `x\\n -y`\n\n| | |\n|-|-|\n| `a` | .b \\| c |\n");
        assert_eq!(
            text,
            ".PP\n\\&.dot\n\\&'quote\n.IP \\(bu 2\na\n.IP\nb\n.IP \\(bu 2\n\\fBx\\en \\-y\\fR\n\
             .PP\n.TS\nl lx.\n\\fBa\\fR\tT{\n\\&.b | c\nT}\n.TE\n"
        );
    }
}
