//! The patterns of `KEYS` and `SCAN … MATCH`: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a sign that stands for itself.

/// Whether all of `text` is as `pattern` says. It takes at most the product of their lengths in time.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Behind the last `*`, and what is left of the text if that takes one byte more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(behind) = pattern.strip_prefix(b"*") {
            pattern = behind;
            again = Some((pattern, text));
            continue;
        }
        let next = match (pattern, text.split_first()) {
            ([], None) => return true,
            ([], Some(_)) => None,
            (_, None) => return false,
            (_, Some((byte, rest))) => one(pattern, *byte).map(|behind| (behind, rest)),
        };
        (pattern, text) = match (next, again) {
            (Some(next), _) => next,
            (None, Some((behind_star, [_, rest @ ..]))) => {
                again = Some((behind_star, rest));
                (behind_star, rest)
            }
            (None, _) => return false,
        };
    }
}

/// What stands behind the first sign of the pattern, if that is for such a byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (is_for, behind) = match pattern {
        [b'?', behind @ ..] => (true, behind),
        [b'[', b'^', class @ ..] => {
            let (is_in, behind) = class_has(class, byte);
            (!is_in, behind)
        }
        [b'[', class @ ..] => class_has(class, byte),
        [b'\\', sign, behind @ ..] | [sign, behind @ ..] => (*sign == byte, behind),
        [] => (false, pattern),
    };
    is_for.then_some(behind)
}

/// Whether the byte is in the class, and what stands behind that. One that is not closed goes on to the end.
fn class_has(class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (mut class, mut is_in) = (class, false);
    loop {
        class = match class {
            [] => return (is_in, class),
            [b']', behind @ ..] => return (is_in, behind),
            [b'\\', sign, behind @ ..] => {
                is_in |= *sign == byte;
                behind
            }
            [first, b'-', last, behind @ ..] => {
                is_in |= (*first.min(last)..=*first.max(last)).contains(&byte);
                behind
            }
            [sign, behind @ ..] => {
                is_in |= *sign == byte;
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_what_redis_says() {
        let yes = [
            ("", ""),
            ("*", ""),
            ("*", "any"),
            ("h?llo", "hello"),
            ("h*llo", "heeeello"),
            ("h*llo", "hllo"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hbllo"),
            ("h[a-b]llo", "hbllo"),
            ("h[b-a]llo", "hallo"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("a**b", "ab"),
            ("*a*b*", "xaxxbx"),
            ("a\\", "a\\"),
            ("[a", "a"),
            ("*ab", "aab"),
        ];
        let no = [
            ("", "a"),
            ("?", ""),
            ("h?llo", "hllo"),
            ("h[^e]llo", "hello"),
            ("\\*", "a"),
            ("*a", "ab"),
            ("a*", "ba"),
            ("[]", "]"),
            ("h[a-b]llo", "hcllo"),
            ("*a*b*", "b a"),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        // A search that tried every way to share the text out would not come to an end.
        assert!(!matches(&b"*a".repeat(1000), &[b'a'; 999]));
    }
}
