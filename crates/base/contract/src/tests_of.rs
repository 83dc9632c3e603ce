//! [`contract!`](crate::contract): a test for each invariant.

/// Makes a test of every invariant, for the subject that the function `$subject` gives.
///
/// The tests lie in modules: `cases::on_the_recording_disk` and `cases::on_the_real_disk`.
#[macro_export]
macro_rules! contract {
    ($subject:ident) => {
        mod cases {
            mod on_the_recording_disk {
                use super::super::$subject;
                $crate::__every_case! { [$crate::__tests_of_cases] $subject RecordingDisk }
            }

            mod on_the_real_disk {
                use super::super::$subject;
                $crate::__every_case! { [$crate::__tests_of_cases] $subject RealDisk }
            }
        }

        mod crash {
            #[test]
            fn every_crash_image_opens_with_what_was_promised() {
                $crate::assert_kept($crate::crash::crash_images(&super::$subject()));
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests_of_cases {
    ($subject:ident $place:ident $($theme:ident::$name:ident [$($need:ident),*] $invariant:literal;)*) => {
        $(
            #[test]
            fn $name() {
                $crate::assert_case(&$subject(), $crate::Place::$place, stringify!($name));
            }
        )*
    };
}
