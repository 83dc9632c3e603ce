//! [`contract!`](crate::contract): a test for each invariant.

/// Makes a test of every invariant, for the [`Subject`](crate::Subject) that the function `$subject` gives.
///
/// The tests lie in modules, `cases::on_the_recording_disk`, `cases::on_the_real_disk`, `scripts`, `model`,
/// `process`, `crash`, `damage`, `faults` and, with the feature `sabotage`, `sabotage`. To hold an engine to the
/// contract with several options, call the macro in a module for each.
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

        mod scripts {
            use super::$subject;
            $crate::__every_script! { [$crate::__tests_of_scripts] $subject }
        }

        mod process {
            #[test]
            fn a_killed_owner_loses_nothing_it_acknowledged_and_its_lock_is_free() {
                let test = "a_killed_owner_loses_nothing_it_acknowledged_and_its_lock_is_free";
                $crate::assert_killed_owner_loses_nothing(&super::$subject(), module_path!(), test);
            }
        }

        mod model {
            #[test]
            fn random_programs_end_as_on_a_map() {
                $crate::assert_kept($crate::model(&super::$subject()));
            }
        }

        mod faults {
            #[test]
            fn after_any_failed_operation_no_answer_is_wrong_and_no_promise_broken() {
                $crate::assert_kept($crate::faults(&super::$subject()));
            }
        }

        mod damage {
            #[test]
            fn no_flipped_bit_makes_a_value_wrong_or_a_write_vanish_unreported() {
                $crate::assert_kept($crate::bit_flips(&super::$subject()));
            }

            #[test]
            fn no_cut_file_makes_a_value_wrong_or_an_older_write_vanish_unreported() {
                $crate::assert_kept($crate::cuts(&super::$subject()));
            }
        }

        mod crash {
            #[test]
            fn every_crash_image_opens_with_what_was_promised() {
                $crate::assert_kept($crate::crash::crash_images(&super::$subject()));
            }
        }

        $crate::__tests_of_sabotage! { $subject }
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

#[doc(hidden)]
#[macro_export]
macro_rules! __tests_of_scripts {
    ($subject:ident $($folder:ident::$name:ident;)*) => {
        $(
            #[test]
            fn $name() {
                $crate::assert_script(&$subject(), stringify!($folder), stringify!($name));
            }
        )*
    };
}

#[cfg(feature = "sabotage")]
#[doc(hidden)]
#[macro_export]
macro_rules! __tests_of_sabotage {
    ($subject:ident) => {
        mod sabotage {
            #[test]
            fn files_that_are_never_synced_are_noticed() {
                let file_syncs = |sabotage| sabotage == $crate::Sabotage::FileSyncs;
                $crate::assert_noticed(&super::$subject(), file_syncs);
            }

            #[test]
            fn folders_that_are_never_synced_are_noticed() {
                let folder_syncs = |sabotage| sabotage == $crate::Sabotage::FolderSyncs;
                $crate::assert_noticed(&super::$subject(), folder_syncs);
            }

            #[test]
            fn each_rule_that_is_left_out_is_noticed() {
                let rules = |sabotage| matches!(sabotage, $crate::Sabotage::Rule(_));
                $crate::assert_noticed(&super::$subject(), rules);
            }
        }
    };
}

#[cfg(not(feature = "sabotage"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __tests_of_sabotage {
    ($subject:ident) => {};
}
