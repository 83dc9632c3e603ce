//! The few colours of the output. They vanish in a pipe and under `NO_COLOR`, since everything is printed
//! through `anstream`.

use anstyle::{AnsiColor, Style};

/// What something is called.
pub(crate) const HEADING: Style = Style::new().bold();
/// All is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What an engine was told to do.
pub(crate) const DEED: Style = AnsiColor::Cyan.on_default();
/// What can be read later.
pub(crate) const QUIET: Style = Style::new().dimmed();
