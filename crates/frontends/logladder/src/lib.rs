//! Every stage of the ladder behind one trait, and the table of stages.
