//! Prompts on the terminal, with shown or hidden input, and restores the terminal's mode.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};

#[cfg(unix)]
use parking_lot::Mutex;
#[cfg(unix)]
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Whether typed characters are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    Shown,
    Hidden,
}

/// Prompts for a line. Returns `None` for an empty line and at the end of the input. Does not return after Ctrl-C, since
/// the signal ends the program.
///
/// # Errors
/// Returns an error if there is no terminal, or if it cannot be read.
pub(crate) async fn ask(question: String, typing: Typing) -> io::Result<Option<String>> {
    let line = tokio::task::spawn_blocking(move || ask_and_wait(&question, typing)).await.map_err(io::Error::other)?;
    match line {
        // `rpassword` has sent the signal, and returns at the same time.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => std::future::pending().await,
        line => line,
    }
}

fn ask_and_wait(question: &str, typing: Typing) -> io::Result<Option<String>> {
    let path = path()?;
    write!(io::stderr(), "{question}")?;
    io::stderr().flush()?;
    let line = match typing {
        Typing::Shown => read_line(path)?,
        Typing::Hidden => read_hidden_line(path)?,
    };
    Ok((!line.is_empty()).then_some(line))
}

/// Returns the path of the terminal: standard input, or the terminal that controls this process if standard input is
/// something else, or belongs to another user, such as after `su`.
fn path() -> io::Result<&'static str> {
    let controlling = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
    let candidates =
        if cfg!(unix) && io::stdin().is_terminal() { ["/dev/stdin", controlling] } else { [controlling; 2] };
    let can_be_read = candidates.into_iter().find(|path| File::open(path).is_ok());
    can_be_read.ok_or_else(|| io::Error::other("there is no terminal"))
}

fn read_line(path: &str) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?).read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn read_hidden_line(path: &str) -> io::Result<String> {
    remember_mode(path)?;
    let config = rpassword::ConfigBuilder::new().input_file_path(path).output_discard().build();
    let line = rpassword::read_password_with_config(config);
    leave_as_it_was();
    writeln!(io::stderr())?;
    match line {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(String::new()),
        line => line,
    }
}

/// The mode that the terminal had before typing was hidden.
#[cfg(unix)]
static MODE_BEFORE: Mutex<Option<(File, Termios)>> = Mutex::new(None);

fn remember_mode(path: &str) -> io::Result<()> {
    #[cfg(unix)]
    {
        let terminal = File::open(path)?;
        let mode = tcgetattr(&terminal)?;
        *MODE_BEFORE.lock() = Some((terminal, mode));
    }
    Ok(())
}

/// Restores the mode of the terminal. `rpassword` does so after it has read a line, but not if the program ends before
/// that because of a signal or a timeout.
pub(crate) fn leave_as_it_was() {
    #[cfg(unix)]
    if let Some((terminal, mode)) = MODE_BEFORE.lock().take() {
        // A terminal that is gone has no mode to restore.
        let _gone = tcsetattr(&terminal, OptionalActions::Now, &mode);
    }
}
