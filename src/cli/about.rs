//! What can be told about the program itself, without probing anything?

use std::fs;
use std::io;
use std::path::PathBuf;

use clap_complete::Shell;
use clap_mangen::Man;
use leadsman_core::Registry;

use super::{explain, list, needs, tree};
use crate::terminal::Terminal;

/// A question about the program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum About {
    /// What it can probe.
    List { json: bool },
    /// The manual of a probe or responder, or of the probe with this command.
    Explain(String),
    /// The completion script of a shell.
    Completions(Shell),
    /// The manual page, or those of all commands, written into a directory.
    Man(Option<PathBuf>),
}

impl About {
    /// Answers on `terminal`. A reader who has enough and leaves is no error.
    pub(crate) fn tell(&self, registry: &Registry, terminal: &mut Terminal) -> io::Result<()> {
        let text = match self {
            Self::List { json: true } => list::json(registry, needs::is_met),
            Self::List { json: false } => list::table(registry, needs::is_met, terminal.width()),
            Self::Explain(name) => explain::manual(registry, name, terminal),
            Self::Completions(shell) => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut tree(registry), "leadsman", &mut script);
                text(script)
            }
            Self::Man(None) => {
                let mut page = Vec::new();
                Man::new(tree(registry)).render(&mut page)?;
                text(page)
            }
            Self::Man(Some(directory)) => {
                fs::create_dir_all(directory)?;
                clap_mangen::generate_to(tree(registry), directory)?;
                String::new()
            }
        };
        match terminal.print(&text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what is made from text is text")
}
