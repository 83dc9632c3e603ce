//! [`Sheet`]: a table of text, before it is known whether a terminal, a file or a book shows it.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use logladder_bench::tables::Look;
use serde::Serialize;

/// A table of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sheet {
    /// By which it is asked for. Several tables may have one name.
    pub name: &'static str,
    /// What stands above it.
    pub title: String,
    /// What stands above each column.
    pub headings: Vec<String>,
    /// Whether the column is set to the right.
    pub right: Vec<bool>,
    /// A text for each column.
    pub rows: Vec<Vec<String>>,
    /// Rows and columns of what is to be seen at once.
    #[serde(skip)]
    pub(crate) marked: Vec<(usize, usize)>,
}

impl Sheet {
    /// A table without rows. A heading that begins with `>` is that of a column set to the right.
    pub(crate) fn new<H: AsRef<str>>(
        name: &'static str,
        title: impl Into<String>,
        headings: impl IntoIterator<Item = H>,
    ) -> Self {
        let mut sheet =
            Self { name, title: title.into(), headings: vec![], right: vec![], rows: vec![], marked: vec![] };
        for heading in headings {
            let heading = heading.as_ref();
            let text = heading.strip_prefix('>');
            sheet.right.push(text.is_some());
            sheet.headings.push(text.unwrap_or(heading).to_owned());
        }
        sheet
    }

    /// For a terminal.
    pub(crate) fn table(&self, look: Look) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        if look.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if let Some(width) = look.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.set_header(
            self.headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)),
        );
        for (place, row) in self.rows.iter().enumerate() {
            table.add_row(row.iter().enumerate().map(|(column, text)| {
                let cell = Cell::new(text);
                if self.marked.contains(&(place, column)) { cell.fg(Color::Green) } else { cell }
            }));
        }
        for (column, &right) in table.column_iter_mut().zip(&self.right) {
            if right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_to_the_right_if_their_heading_says_so() {
        let mut sheet = Sheet::new("s", "A title", ["name", ">number"]);
        sheet.rows.push(vec!["a".into(), "1".into()]);
        let text = sheet.table(Look::default()).to_string();
        assert!(text.contains(" name   number ") && text.contains(" a           1 "), "{text}");
    }
}
