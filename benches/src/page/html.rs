//! [`Html`]: markup that is balanced and escaped by the way it is made. Text and attributes are escaped, always; an element
//! ends where the closure that fills it ends.

/// A piece of a page that grows.
#[derive(Debug, Default)]
pub(super) struct Html {
    text: String,
}

/// The attributes of an element.
type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Html {
    /// The element `tag`, with what `fill` puts into it.
    pub(super) fn element(&mut self, tag: &str, attributes: Attributes<'_>, fill: impl FnOnce(&mut Self)) {
        self.text.push('<');
        self.text.push_str(tag);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.text.push_str(&escape(value));
            self.text.push('"');
        }
        self.text.push('>');
        fill(self);
        self.text.push_str("</");
        self.text.push_str(tag);
        self.text.push('>');
    }

    /// The element `tag`, with a text in it.
    pub(super) fn words(&mut self, tag: &str, attributes: Attributes<'_>, words: &str) {
        self.element(tag, attributes, |inside| inside.text(words));
    }

    /// A text.
    pub(super) fn text(&mut self, words: &str) {
        self.text.push_str(&escape(words));
    }

    /// A text that is markup, style or script already, of this program's own making.
    pub(super) fn own(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// A line feed, for whoever reads the source.
    pub(super) fn line(&mut self) {
        self.text.push('\n');
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// The words without a sign that markup would take for its own.
pub(crate) fn escape(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_texts_and_attributes_hold_cannot_leave_them() {
        let mut html = Html::default();
        html.element("p", &[("title", "\"><script>")], |inside| {
            inside.text("a < b & 'c'");
            inside.words("b", &[], "</p>");
        });
        assert_eq!(
            html.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">a &lt; b &amp; &#39;c&#39;<b>&lt;/p&gt;</b></p>"
        );
    }
}
