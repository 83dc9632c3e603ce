//! A few operations on an engine, and what each of them did to the disk.

use super::lesson::Performed;
use crate::style::{DEED, QUIET};

/// Prints what each operation did.
pub(super) fn print(performed: &[Performed]) {
    for step in performed {
        anstream::println!("  {DEED}{}{DEED:#}", step.title);
        if step.deeds.is_empty() {
            anstream::println!("      {QUIET}nothing reaches the disk{QUIET:#}");
        }
        for deed in &step.deeds {
            anstream::println!("      {deed}");
        }
    }
}
